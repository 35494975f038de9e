"""``--set key.path=value``: change values of a document from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipusim.errors import BadInputError, Problem
from ipusim.files.compose import Composer, Mark
from ipusim.files.document import Document
from ipusim.files.wording import FieldError, Path, describe, did_you_mean, dotted


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``--set``.

    Attributes
    ----------
    name : str
        The option as the user gave it, such as ``--set ops.0.partials=float32``; the file of its problems.
    parts : tuple of str
        The key, split at the dots.
    value : Any
        The value, read as a YAML 1.2 scalar or flow collection.
    """

    name: str
    parts: tuple[str, ...]
    value: Any


def parse_setting(text: str) -> Setting:
    """Return the setting in ``key.path=value``.

    Raises
    ------
    BadInputError
        When there is no key, no value, or the value is not YAML.
    """
    name = f"--set {text}"
    key, separator, value = text.partition("=")
    parts = tuple(part.strip() for part in key.split("."))
    if not separator or not all(parts):
        raise BadInputError([Problem(name, 0, 0, "", "expected key.path=value", "such as compile.x=0.5 or ops.0.y=z")])
    if not value.strip():
        raise BadInputError([Problem(name, 0, 0, key, "there is no value", f"write {key}=null to clear it")])
    composer = Composer(value, name)
    if composer.problems:
        raise BadInputError([Problem(name, 0, 0, key, each.message, each.hint) for each in composer.problems])
    return Setting(name, parts, composer.value)


def parse_settings(texts: Sequence[str]) -> tuple[Setting, ...]:
    """Return the settings in `texts`, or raise BadInputError with the problems of all of them."""
    settings: list[Setting] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            settings.append(parse_setting(text))
        except BadInputError as error:
            problems.extend(error.problems)
    if problems:
        raise BadInputError(problems)
    return tuple(settings)


def override(document: Document, settings: Sequence[str]) -> Document:
    """Return `document` with each ``key.path=value`` of `settings` applied, in order.

    List items are addressed by index, such as ``ops.0.partials``. A key that does not exist is created, so that
    validation can judge it. A key that itself contains dots is found before its parts are.

    Raises
    ------
    BadInputError
        With every setting that is malformed or leads through something that has no such part.
    """
    problems: list[Problem] = []
    for setting in parse_settings(settings):
        try:
            document = apply_setting(document, setting)
        except BadInputError as error:
            problems.extend(error.problems)
    if problems:
        raise BadInputError(problems)
    return document


def apply_setting(document: Document, setting: Setting) -> Document:
    """Return `document` with one setting applied; see :func:`override`."""
    try:
        data, path = _assign(document.data, setting.parts, setting.value, ())
    except FieldError as error:
        raise BadInputError([Problem(setting.name, 0, 0, dotted(error.path), error.message, error.hint)]) from None
    marks = {place: mark for place, mark in document.marks.items() if place[: len(path)] != path}
    for length in range(min(_n_existing(document.data, path) + 1, len(path)), len(path) + 1):
        marks[path[:length]] = Mark(setting.name, 0, 0, 0, 0)
    return Document(document.name, data, marks, document.labels)


def inherit(base: Document, top: Document) -> Document:
    """Return `top` with the top-level keys that only `base` has; each value keeps its place in its own file."""
    data = {**base.data, **top.data}
    marks: dict[Path, Mark] = {path: mark for path, mark in base.marks.items() if path and path[0] not in top.data}
    return Document(top.name, data, {**marks, **top.marks})


def _assign(container: Any, parts: Sequence[str], value: Any, path: Path) -> tuple[Any, Path]:
    if not parts:
        return value, path
    if isinstance(container, list):
        index = _index(container, parts[0], path)
        item, full = _assign(container[index], parts[1:], value, (*path, index))
        return [*container[:index], item, *container[index + 1 :]], full
    if container is None:
        container = {}
    if not isinstance(container, Mapping):
        raise FieldError(f"is {describe(container)}, so it has no {'.'.join(parts)!r}", path=path)
    length = _key_length(container, parts)
    key = ".".join(parts[:length])
    item, full = _assign(container.get(key), parts[length:], value, (*path, key))
    return {**container, key: item}, full


def _n_existing(data: Any, path: Path) -> int:
    """Return how many leading parts of `path` lead somewhere in `data`."""
    for length, part in enumerate(path):
        leads_on = isinstance(data, list) or (isinstance(data, Mapping) and part in data)
        if not leads_on:
            return length
        data = data[part]
    return len(path)


def _key_length(container: Mapping[str, Any], parts: Sequence[str]) -> int:
    for length in range(len(parts), 1, -1):
        if ".".join(parts[:length]) in container:
            return length
    return 1


def _index(items: list[Any], part: str, path: Path) -> int:
    if part.isdecimal() and len(part) < 10 and int(part) < len(items):
        return int(part)
    indices = f"0 to {len(items) - 1}" if items else "none: it is empty"
    names = [str(item.get("name")) for item in items if isinstance(item, Mapping)]
    hint = did_you_mean(part, names) and f"list items go by index: {indices}"
    raise FieldError(f"a list has no item {part!r}", hint or f"indices: {indices}", path=path)
