"""Where each constant of a chip comes from: the ``{value, source, confidence, note}`` form of chip files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast, get_args

from ipusim.errors import Problem
from ipusim.files.document import Document, Mark
from ipusim.files.validate import MISSING
from ipusim.files.wording import Path, describe, did_you_mean, dotted, join_words

Confidence: TypeAlias = Literal["measured", "documented", "derived", "assumed"]
"""``measured`` on hardware (or fitted to measurements), ``documented`` by the vendor or its code, ``derived`` from such
figures by arithmetic, or ``assumed``."""

CONFIDENCES: tuple[str, ...] = get_args(Confidence)
USERS_FILE = "user's file"
CONSTANT_KEYS = ("value", "source", "confidence", "note")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of one constant.

    Attributes
    ----------
    unit : str
        Unit of the value, such as ``B/cycle``; empty for a plain number.
    source : str
        Document, file or measurement that the value comes from.
    confidence : str
        One of `CONFIDENCES`.
    note : str
        Reasons and doubts; may be empty.
    """

    unit: str
    source: str
    confidence: Confidence
    note: str = ""


class ConstantReader:
    """Takes the constants of a document apart into plain values and their provenance.

    Attributes
    ----------
    problems : list of Problem
        What is wrong with the ``{value, source, ...}`` forms.
    without_value : set of str
        Dotted paths of the constants that have no value.
    provenance : dict
        Dotted path of each constant to its provenance, units left empty. A part of a table has an entry of its own
        where the file gives it one.
    """

    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self.without_value: set[str] = set()
        self.provenance: dict[str, Provenance] = {}
        self._document = document
        self._marks: dict[Path, Mark] = {}

    def read(self, plain_keys: frozenset[str]) -> Document:
        """Return the document with plain values only, each still at its place; `plain_keys` are no constants."""
        data: dict[str, Any] = {}
        for key, value in self._document.data.items():
            path = (key,)
            if key in plain_keys:
                data[key] = value
                self._keep(path, path)
                continue
            self.provenance[key] = Provenance("", self._default_source(path), "assumed")
            data[key] = self._plain(value, path, path)
        self._keep((), ())
        return Document(self._document.name, data, self._marks)

    def _default_source(self, path: Path) -> str:
        mark = self._document.marks.get(path)
        return mark.file if mark is not None and mark.line == 0 else USERS_FILE

    def _keep(self, place: Path, path: Path) -> None:
        if place in self._document.marks:
            self._marks[path] = self._document.marks[place]

    def _plain(self, value: Any, place: Path, path: Path) -> Any:
        """Return `value`, found at `place` of the file, as the plain value of the chip's `path`."""
        self._keep(place, path)
        if isinstance(value, Mapping) and self._is_constant(value):
            self._record(value, place, path)
            return self._inner(value.get("value"), (*place, "value"), path)
        return self._parts(value, place, path)

    def _inner(self, value: Any, place: Path, path: Path) -> Any:
        key = self._marks.get(path)
        self._keep(place, path)
        if key is not None and path in self._marks:
            inner = self._marks[path]
            self._marks[path] = inner._replace(key_line=key.key_line, key_column=key.key_column)
        return self._parts(value, place, path)

    def _parts(self, value: Any, place: Path, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {key: self._plain(item, (*place, key), (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, (*place, index), (*path, index)) for index, item in enumerate(value)]
        return value

    def _is_constant(self, value: Mapping[str, Any]) -> bool:
        return any(key in value for key in CONSTANT_KEYS)

    def _record(self, constant: Mapping[str, Any], place: Path, path: Path) -> None:
        for key in constant:
            if key not in CONSTANT_KEYS:
                self._report((*place, key), "unknown key", did_you_mean(key, CONSTANT_KEYS), at_key=True)
        if "value" not in constant:
            self._report((*place, "value"), MISSING)
            self.without_value.add(dotted(path))
        for key in ("source", "confidence", "note"):
            if not isinstance(constant.get(key, ""), str):
                self._report((*place, key), f"expected a text, found {describe(constant[key])}")
        confidence = constant.get("confidence", "assumed")
        if isinstance(confidence, str) and confidence not in CONFIDENCES:
            hint = did_you_mean(confidence, CONFIDENCES)
            message = f"must be {join_words(map(repr, CONFIDENCES))}, found {describe(confidence)}"
            self._report((*place, "confidence"), message, hint)
        source = constant.get("source") or self._default_source(path[:1])
        note = constant.get("note", "")
        self.provenance[dotted(path)] = Provenance("", str(source), cast(Confidence, str(confidence)), str(note))

    def _report(self, place: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        self.problems.append(self._document.problem(place, message, hint, at_key=at_key))


def find_provenance(provenance: Mapping[str, Provenance], path: str) -> Provenance | None:
    """Return the entry of the dotted `path`, or of the nearest table that contains it."""
    while path not in provenance:
        path, separator, _ = path.rpartition(".")
        if not separator:
            return None
    return provenance[path]


def changed_provenance(provenance: Mapping[str, Provenance], path: str, source: str) -> dict[str, Provenance]:
    """Return `provenance` after the value at the dotted `path` was replaced by `source`."""
    kept = {key: entry for key, entry in provenance.items() if key != path and not key.startswith(f"{path}.")}
    kept[path] = Provenance("", source, "assumed")
    return kept


def with_units(provenance: Mapping[str, Provenance], units: Mapping[str, str]) -> dict[str, Provenance]:
    """Return `provenance` with the unit of every entry; `units` is keyed by field, or by field and last part."""
    return {path: replace(entry, unit=_unit(path, units)) for path, entry in provenance.items()}


def _unit(path: str, units: Mapping[str, str]) -> str:
    field, _, rest = path.partition(".")
    return units.get(f"{field}.{rest.rpartition('.')[2]}", units.get(field, "")) if rest else units.get(field, "")
