"""A document that a human wrote: its values, and where each of them stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path as FilePath
from typing import Any

from ipusim.errors import BadInputError, Problem
from ipusim.files.compose import MAX_DEPTH, MAX_PROBLEMS, MAX_VALUES, Composer, Mark
from ipusim.files.regular import open_regular
from ipusim.files.scalars import check_float, check_int
from ipusim.files.wording import FieldError, Path, describe, did_you_mean, dotted

__all__ = [
    "MAX_DEPTH",
    "MAX_FILE_BYTES",
    "MAX_PROBLEMS",
    "MAX_VALUES",
    "Document",
    "Mark",
    "load_document",
    "parse_document",
]

MAX_FILE_BYTES = 8 * 2**20
"""Largest file that is read."""


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from a file or given as a dict.

    Attributes
    ----------
    name : str
        File name as the user gave it.
    data : dict
        Dicts with text keys, lists, texts, finite numbers, booleans and None. Not to be changed: parts may be shared.
    marks : Mapping
        Path of a value, such as ``("tensors", "w", "shape", 0)``, to where it stands. Empty for a dict.
    labels : Mapping
        Path of an item of a top-level list that nobody wrote, such as ``("ops", 3)``, to the name that messages give it
        instead of its position.
    """

    name: str
    data: dict[str, Any]
    marks: Mapping[Path, Mark]
    labels: Mapping[Path, str] = field(default_factory=dict)

    def problem(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """Return `message` as a problem of the value at `path`.

        It is located at the value (at its key with `at_key`), or at the key of the nearest ancestor whose place is
        known, as for a missing key or a part that came through an alias.
        """
        label = self.labels.get(path[:2])
        shown = dotted(path if label is None else (path[0], label, *path[2:]))
        for length in range(len(path), -1, -1):
            mark = self.marks.get(path[:length])
            if mark is None:
                continue
            if at_key or length < len(path):
                return Problem(mark.file, mark.key_line, mark.key_column, shown, message, hint)
            return Problem(mark.file, mark.line, mark.column, shown, message, hint)
        return Problem(self.name, 0, 0, shown, message, hint)


def load_document(source: str | FilePath | Mapping[str, Any], name: str | None = None) -> Document:
    """Return the document in a YAML file, or in a dict.

    Parameters
    ----------
    source : str, Path or Mapping
        Path of a YAML file, or its content as a mapping.
    name : str, optional
        What messages call it; the path by default.

    Raises
    ------
    BadInputError
        With every problem of the text: unreadable, not UTF-8, over 8 MiB, syntax, duplicate or non-text keys, tags,
        several documents, NaN and infinities, recursive or exploding aliases, nesting beyond 64 levels.
    """
    if isinstance(source, Mapping):
        return _from_mapping(source, name or "<dict>")
    shown = name or os.fspath(source)
    return parse_document(_decode(_read(FilePath(source), shown), shown), shown)


def parse_document(text: str, name: str) -> Document:
    """Return the document in a YAML `text`; see :func:`load_document`."""
    composer = Composer(text, name)
    problems = list(composer.problems)
    if not problems and not isinstance(composer.value, dict):
        place = composer.marks[()]
        found = describe(composer.value)
        message = f"the file must be a mapping of keys to values, found {found}"
        problems.append(Problem(name, place.line, place.column, "", message))
    if problems:
        raise BadInputError(problems)
    return Document(name, composer.value, composer.marks)


def _read(path: FilePath, name: str) -> bytes:
    try:
        with open_regular(path, may_be_pipe=True) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise BadInputError([Problem(name, 0, 0, "", "no such file", _neighbour(path))]) from None
    except IsADirectoryError:
        raise BadInputError([Problem(name, 0, 0, "", "this is a folder, not a file")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInputError([Problem(name, 0, 0, "", f"cannot be read: {reason}")]) from None
    if len(content) > MAX_FILE_BYTES:
        raise BadInputError([Problem(name, 0, 0, "", f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")])
    return content


def _neighbour(path: FilePath) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except FileNotFoundError:
        return f"there is no folder {str(path.parent)!r}"
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        message = f"not UTF-8: byte 0x{content[error.start]:02x}"
        raise BadInputError([Problem(name, line, column, "", message, "save the file as UTF-8")]) from None


def _from_mapping(source: Mapping[str, Any], name: str) -> Document:
    copier = _Copier(name)
    data = copier.copy(source, ())
    if copier.problems:
        raise BadInputError(copier.problems)
    return Document(name, data, {})


class _Copier:
    """Copies a Python mapping into plain values, by the rules that hold for a file."""

    def __init__(self, name: str) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._n_values = 0

    def copy(self, value: Any, path: Path) -> Any:
        self._n_values += 1
        if len(path) > MAX_DEPTH:
            raise BadInputError([self._problem(path[:4], f"nested more than {MAX_DEPTH} levels deep, or recursive")])
        if self._n_values > MAX_VALUES:
            raise BadInputError([self._problem((), f"more than {MAX_VALUES:,} values")])
        if isinstance(value, Mapping):
            return {self._key(key, path): self.copy(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.copy(item, (*path, index)) for index, item in enumerate(value)]
        return self._scalar(value, path)

    def _key(self, key: Any, path: Path) -> str:
        if not isinstance(key, str):
            self.problems.append(self._problem(path, f"a key must be a text, found {describe(key)}"))
        return str(key)

    def _scalar(self, value: Any, path: Path) -> Any:
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        try:
            if isinstance(value, Integral):
                return check_int(int(value))
            if isinstance(value, Real):
                return check_float(float(value))
        except FieldError as error:
            self.problems.append(self._problem(path, error.message))
            return None
        self.problems.append(self._problem(path, f"{describe(value)} cannot stand in a file"))
        return None

    def _problem(self, path: Path, message: str) -> Problem:
        return Problem(self._name, 0, 0, dotted(path), message)
