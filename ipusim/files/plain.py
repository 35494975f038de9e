"""Pydantic's error types in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipusim.files.wording import describe, did_you_mean

_NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "finite_number": "a number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "dataclass": "a mapping",
    "none_required": "null",
    "path": "a path",
}

_BOUNDS = {
    "greater_than": ("gt", "must be above {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be below {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "multiple_of": ("multiple_of", "must be a multiple of {}"),
}


def expected_noun(detail: Mapping[str, Any]) -> str:
    """Return what a Pydantic type error wanted (``a list``), or an empty string for an error of another kind."""
    kind = str(detail["type"])
    if kind in _NOUNS:
        return _NOUNS[kind]
    if kind in ("literal_error", "enum"):
        return f"one of {detail['ctx']['expected']}"
    stem, _, ending = kind.rpartition("_")
    if ending in ("type", "parsing", "size") or kind == "int_from_float":
        return _NOUNS.get(stem, _NOUNS["int"] if stem.startswith("int") else "")
    return ""


def plain_message(detail: Mapping[str, Any]) -> tuple[str, str]:
    """Return a Pydantic error as a message in plain words, and a hint (maybe empty)."""
    kind, found, context = str(detail["type"]), detail["input"], detail.get("ctx", {})
    if kind in _BOUNDS:
        key, sentence = _BOUNDS[kind]
        return f"{sentence.format(_number(context[key]))}, found {_number(found)}", ""
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}, found {describe(found)}", _nearest(found, context["expected"])
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(found, context), ""
    noun = expected_noun(detail)
    if noun:
        return f"expected {noun}, found {describe(found)}", ""
    message = str(detail["msg"])
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip("."), ""


def tag_problem(detail: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return key, message and hint of an error about the key that selects among several kinds of mapping."""
    found, context = detail["input"], detail["ctx"]
    key = str(context["discriminator"]).strip("'")
    if detail["type"] == "union_tag_not_found" or not isinstance(found, Mapping):
        return key, "is missing", ""
    tag, choices = found.get(key), str(context["expected_tags"])
    return key, f"must be one of {choices}, found {describe(tag)}", _nearest(tag, choices)


def _nearest(found: object, choices: object) -> str:
    words = [word.strip("' ") for word in str(choices).replace(" or ", ", ").split(",")]
    return did_you_mean(found, words) if isinstance(found, str) else ""


def _length(found: object, context: Mapping[str, Any]) -> str:
    least, most = context.get("min_length"), context.get("max_length")
    bound = f"at least {least}" if least is not None else f"at most {most}"
    if isinstance(found, str):
        return f"must have {bound} character{'' if (least or most) == 1 else 's'}, found {describe(found)}"
    n_found = len(found) if isinstance(found, (list, tuple, dict)) else context.get("actual_length")
    return f"must have {bound} item{'' if (least or most) == 1 else 's'}, found {n_found}"


def _pattern(found: object, context: Mapping[str, Any]) -> str:
    return f"{describe(found)} does not match the pattern {context['pattern']}"


_SPECIAL: dict[str, Callable[[object, Mapping[str, Any]], str]] = {
    "too_short": _length,
    "too_long": _length,
    "string_too_short": _length,
    "string_too_long": _length,
    "string_pattern_mismatch": _pattern,
}


def _number(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value == int(value) and abs(value) < 1e15 else str(value)
