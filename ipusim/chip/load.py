"""Load a chip: a packaged one, a file of the user's, or a mapping; with ``extends`` and ``--set``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ipusim.chip.checks import Conflict, check_chip
from ipusim.chip.dump import chip_to_dict
from ipusim.chip.fields import field_units
from ipusim.chip.model import NAMING_FIELDS, Chip
from ipusim.chip.provenance import ConstantReader, Provenance, changed_provenance, with_units
from ipusim.errors import BadInputError, Problem
from ipusim.files.document import Document, Mark, load_document
from ipusim.files.overrides import inherit, override, parse_settings
from ipusim.files.packaged import find_file, packaged_names
from ipusim.files.validate import MISSING, in_order, validate
from ipusim.files.wording import Path as Place


def chip_names() -> tuple[str, ...]:
    """Return the names of the packaged chips, sorted."""
    return packaged_names("configs")


def load_chip(source: str | Path | Mapping[str, Any] | Chip, settings: Sequence[str] = (), **overrides: object) -> Chip:
    """Return a chip.

    Parameters
    ----------
    source : str, Path, Mapping or Chip
        Packaged name (see :func:`chip_names`), path of a chip file, its content as a mapping, or a chip to change.
    settings : sequence of str
        Changes as on the command line: ``n_tiles=64``, ``amp_modes.0.units=8``.
    **overrides
        Changes of whole fields: ``n_tiles=64``, ``tile_sram_bytes="900 KiB"``.

    Raises
    ------
    BadInputError
        With everything that is wrong with the file, the files that it extends, and the changes.
    """
    if isinstance(source, Chip) and not settings and not overrides:
        return source
    reader = ConstantReader(_read_chain(chip_to_dict(source) if isinstance(source, Chip) else source))
    document = reader.read(frozenset(NAMING_FIELDS))
    try:
        document, provenance = _apply(document, reader.provenance, settings, overrides)
        chip = validate(document, Chip, other_keys=("extends",))
    except BadInputError as error:
        others = [problem for problem in error.problems if problem.path not in reader.without_value]
        raise BadInputError(in_order([*reader.problems, *_summarise(document, others)], document)) from None
    problems = [*reader.problems, *(_locate(document, conflict) for conflict in check_chip(chip))]
    if problems:
        raise BadInputError(in_order(problems, document))
    return chip.with_provenance(with_units(provenance, field_units()))


def _apply(
    document: Document, provenance: Mapping[str, Provenance], settings: Sequence[str], overrides: Mapping[str, object]
) -> tuple[Document, Mapping[str, Provenance]]:
    """Return document and provenance after the changes of `overrides`, then those of `settings`."""
    for name, value in overrides.items():
        change = f"{name}={value}"
        data = load_document({name: _plain(value)}, change).data
        document = inherit(document, Document(document.name, data, {(name,): Mark(change, 0, 0, 0, 0)}))
        provenance = changed_provenance(provenance, name, change)
    document = override(document, settings)
    for setting in parse_settings(settings):
        provenance = changed_provenance(provenance, ".".join(setting.parts), setting.name)
    return document, {path: entry for path, entry in provenance.items() if path not in NAMING_FIELDS}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _read_chain(source: str | Path | Mapping[str, Any]) -> Document:
    """Return the document of `source` with what it lacks taken from the chips that it extends, one after another."""
    if isinstance(source, Mapping):
        document, folder, default_name = load_document(source, "<chip>"), Path(), "custom"
        seen: tuple[str, ...] = ()
    else:
        path = find_file("configs", source)
        document, folder, default_name = load_document(path), path.parent, path.stem
        seen = (os.path.realpath(path),)
    chain = [document]
    while chain[-1].data.get("extends") is not None:
        path = _base_path(chain[-1], folder, seen)
        chain.append(_load_base(chain[-1], path))
        folder, seen = path.parent, (*seen, os.path.realpath(path))
    merged = chain.pop()
    while chain:
        merged = inherit(_without(merged, {*NAMING_FIELDS, "extends"}), chain.pop())
    merged = _without(merged, {"extends"})
    return Document(merged.name, {"name": default_name, **merged.data}, merged.marks)


def _base_path(document: Document, folder: Path, seen: tuple[str, ...]) -> Path:
    name = document.data["extends"]
    if not isinstance(name, str) or not name:
        raise BadInputError([document.problem(("extends",), "expected the name or the path of a chip")])
    try:
        path = find_file("configs", name, folder)
    except BadInputError as error:
        raise BadInputError([_blame(document, problem) for problem in error.problems]) from None
    if os.path.realpath(path) in seen:
        raise BadInputError([document.problem(("extends",), f"{name!r} extends this chip in turn")])
    return path


def _load_base(document: Document, path: Path) -> Document:
    try:
        return load_document(path)
    except BadInputError as error:
        raise BadInputError([_blame(document, problem) for problem in error.problems]) from None


def _blame(document: Document, problem: Problem) -> Problem:
    """Return `problem`; one that has no place of its own, such as a missing file, stands at ``extends``."""
    if problem.line:
        return problem
    return document.problem(("extends",), f"{problem.file}: {problem.message}", problem.hint)


def _without(document: Document, keys: set[str]) -> Document:
    data = {key: value for key, value in document.data.items() if key not in keys}
    return Document(document.name, data, document.marks)


def _locate(document: Document, conflict: Conflict) -> Problem:
    """Return `conflict` as a problem of a constant that the user gave, rather than of one in a base file."""
    ranked = [candidate for path in conflict.paths for candidate in _candidates(document, path)]
    _, place = min(ranked, key=lambda candidate: candidate[0])
    return document.problem(place, conflict.message)


def _candidates(document: Document, path: Place) -> list[tuple[int, Place]]:
    """Return `path` and its changed parts, each with how far it is from the user: option, own file, base file."""
    mark = document.marks.get(path)
    own = mark is None or mark.file == document.name or mark.line == 0
    changed = [place for place, mark in document.marks.items() if mark.line == 0 and place[: len(path)] == path]
    return [*((0, place) for place in changed), (1 if own else 2, path)]


def _summarise(document: Document, problems: Sequence[Problem]) -> list[Problem]:
    """Return `problems` with many missing constants told as one."""
    missing = [problem for problem in problems if problem.message == MISSING and "." not in problem.path]
    if len(missing) < 4:
        return list(problems)
    names = ", ".join(problem.path for problem in missing)
    summary = document.problem((), f"{len(missing)} constants are missing: {names}", "'extends: bow' would supply them")
    return [summary, *(problem for problem in problems if problem not in missing)]
