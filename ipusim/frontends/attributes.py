"""Reads the attributes of an op: everything in its entry that not all ops have."""

from __future__ import annotations

from collections.abc import Mapping

from ipusim.files.wording import FieldError, did_you_mean, join_words
from ipusim.frontends.draft import Draft
from ipusim.frontends.entries import OpEntry
from ipusim.ops.spec import OpSpec

_OF_ALL_OPS = tuple(OpEntry.model_fields)


def read_attributes(draft: Draft, position: int, spec: OpSpec, given: Mapping[str, object]) -> dict[str, object] | None:
    """Return all attributes of the op at `position`, of those `given` in the file and the defaults of the others.

    None if something is wrong with them, which is reported.
    """
    known = {each.name: each for each in spec.attributes}
    for key in given:
        if key not in known:
            hint = did_you_mean(key, (*known, *_OF_ALL_OPS)) or _list(spec)
            draft.report(("ops", position, key), f"{spec.name} has no attribute {key!r}", hint, at_key=True)
    values: dict[str, object] = {}
    for name, attribute in known.items():
        if name not in given and attribute.default is None:
            draft.report(("ops", position, name), "is missing")
            continue
        try:
            values[name] = attribute.read(given[name]) if name in given else attribute.default
        except FieldError as error:
            draft.report(("ops", position, name), error.message, error.hint)
    return values if values.keys() == known.keys() >= given.keys() else None


def given_attributes(entry: object) -> Mapping[str, object]:
    """Return the attributes that stand in an op's entry of the file."""
    if not isinstance(entry, Mapping):
        return {}
    return {key: value for key, value in entry.items() if key not in _OF_ALL_OPS}


def _list(spec: OpSpec) -> str:
    names = [attribute.name for attribute in spec.attributes]
    return f"attributes of {spec.name}: {join_words(names, 'and')}" if names else f"{spec.name} has no attributes"
