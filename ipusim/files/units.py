"""Quantities as people write them: ``1/16``, ``624 KiB``, ``1.85 GHz``.

Each quantity has a ``parse_`` function, which raises :class:`FieldError`, and a Pydantic type built on it whose JSON
Schema says which numbers and texts are accepted.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field

from ipusim.files.wording import FieldError, describe, join_words

N = TypeVar("N", int, float)

BYTE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
HERTZ_UNITS = {"Hz": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9}

_NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*(?P<sign>[-+]?)(?P<number>{_NUMBER})\s*(?P<unit>[^\s0-9].*?)?\s*\Z")
_FRACTION = re.compile(r"\s*([0-9]{1,18})\s*/\s*([0-9]{1,18})\s*\Z")
_TAKES = {"bytes": "bytes", "frequency": "a frequency"}
_AMBIGUOUS = {"KB": "KiB", "K": "KiB", "M": "MiB", "G": "GiB", "T": "TiB", "k": "kB"}


def parse_number(value: object) -> float:
    """Return a finite number; texts and booleans are not numbers.

    Raises
    ------
    FieldError
        When `value` is something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError(f"expected a number, found {describe(value)}")
    if not math.isfinite(value):
        raise FieldError(f"{value} is not a finite number")
    return float(value)


def parse_count(value: object) -> int:
    """Return a whole number; ``1e6`` is one, texts and booleans are not.

    Raises
    ------
    FieldError
        When `value` is something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError(f"expected a whole number, found {describe(value)}")
    if not math.isfinite(value) or value != int(value):
        raise FieldError(f"expected a whole number, found {describe(value)}")
    return int(value)


def parse_flag(value: object) -> bool:
    """Return true or false; 0, 1, ``no`` and ``yes`` are neither in YAML 1.2.

    Raises
    ------
    FieldError
        When `value` is something else.
    """
    if isinstance(value, bool):
        return value
    raise FieldError(f"expected true or false, found {describe(value)}")


def parse_density(value: object) -> float:
    """Return a density in (0, 1], given as a number or as a fraction such as ``1/16``.

    Raises
    ------
    FieldError
        When `value` is no number, or outside (0, 1].
    """
    if not isinstance(value, str):
        return _check_density(parse_number(value), value)
    match = _FRACTION.match(value)
    if match is None:
        percent = value.strip().endswith("%")
        hint = "write 1/4 or 0.25 for a quarter" if percent else "write 1/16 or 0.0625"
        raise FieldError(f"expected a number or a fraction, found {describe(value)}", hint)
    if int(match[2]) == 0:
        raise FieldError(f"the fraction {value.strip()} divides by zero")
    return _check_density(float(Fraction(int(match[1]), int(match[2]))), value)


def parse_bytes(value: object) -> int:
    """Return a number of bytes, given as a whole number or as a text such as ``624 KiB``.

    Raises
    ------
    FieldError
        When the unit is missing, unknown or of another quantity, or the result is no whole number of bytes.
    """
    if not isinstance(value, str):
        return _not_negative(parse_count(value), value)
    exact = _parse_quantity(value, BYTE_UNITS, "bytes", HERTZ_UNITS, "frequency")
    if exact.denominator != 1:
        raise FieldError(f"{value.strip()} is not a whole number of bytes")
    return int(exact)


def parse_hertz(value: object) -> float:
    """Return a frequency in hertz, given as a number or as a text such as ``1.85 GHz``.

    Raises
    ------
    FieldError
        When the unit is missing, unknown or of another quantity.
    """
    if not isinstance(value, str):
        return _not_negative(parse_number(value), value)
    return float(_parse_quantity(value, HERTZ_UNITS, "frequency", BYTE_UNITS, "bytes"))


def _check_density(density: float, value: object) -> float:
    if 0 < density <= 1:
        return density
    hint = "a density is the fraction that is kept" if density == 0 else ""
    raise FieldError(f"a density is above 0 and at most 1, found {value}", hint)


def _not_negative(number: N, value: object) -> N:
    if number < 0:
        raise FieldError(f"must not be negative, found {value}")
    return number


def _parse_quantity(text: str, units: dict[str, int], kind: str, others: dict[str, int], other_kind: str) -> Fraction:
    match = _QUANTITY.match(text)
    known = join_words(units)
    if match is None or len(text) > 64:
        raise FieldError(f"expected a number with a unit, found {describe(text)}", f"units of {kind}: {known}")
    unit = match["unit"]
    if unit is None:
        raise FieldError(f"{describe(text)} has no unit", f"add one of {known}, or write it without quotes")
    if unit not in units:
        raise FieldError(*_unit_problem(unit, units, kind, others, other_kind))
    if match["sign"] == "-":
        raise FieldError(f"must not be negative, found {text.strip()}")
    if abs(int(match["number"].lower().partition("e")[2] or 0)) > 30:
        raise FieldError(f"{text.strip()} is out of range")
    return Fraction(match["number"]) * units[unit]


def _unit_problem(unit: str, units: dict[str, int], kind: str, others: dict[str, int], other: str) -> tuple[str, str]:
    if unit in others:
        return f"{unit} is a unit of {other}; this field takes {_TAKES[kind]}", f"units of {kind}: {join_words(units)}"
    if units is BYTE_UNITS and unit in _AMBIGUOUS:
        return f"unknown unit {unit!r}", f"did you mean {_AMBIGUOUS[unit]!r}?"
    for known in units:
        if known.casefold() == unit.casefold():
            return f"unknown unit {unit!r}", f"did you mean {known!r}?"
    return f"unknown unit {unit!r}", f"units of {kind}: {join_words(units)}"


def _unit_pattern(units: dict[str, int]) -> str:
    return rf"^\s*\+?({_NUMBER})\s*({'|'.join(units)})\s*$".replace("(?:", "(")


_NotNegative: TypeAlias = Annotated[float, Field(ge=0)]
_FractionText: TypeAlias = Annotated[str, Field(pattern=r"^\s*[0-9]{1,18}\s*/\s*[0-9]{1,18}\s*$")]
_BytesText: TypeAlias = Annotated[str, Field(pattern=_unit_pattern(BYTE_UNITS))]
_HertzText: TypeAlias = Annotated[str, Field(pattern=_unit_pattern(HERTZ_UNITS))]
_InUnitInterval: TypeAlias = Annotated[float, Field(gt=0, le=1)]

Number: TypeAlias = Annotated[float, BeforeValidator(parse_number)]
"""A finite number; unlike Pydantic's float, no text and no boolean."""

Count: TypeAlias = Annotated[int, BeforeValidator(parse_count)]
"""A whole number; unlike Pydantic's int, no text and no boolean."""

Flag: TypeAlias = Annotated[bool, BeforeValidator(parse_flag)]
"""True or false; unlike Pydantic's bool, no number and no text."""

Density: TypeAlias = Annotated[
    float, BeforeValidator(parse_density, json_schema_input_type=_InUnitInterval | _FractionText)
]
"""A fraction in (0, 1]: a number or a text such as ``1/16``."""

Bytes: TypeAlias = Annotated[int, BeforeValidator(parse_bytes, json_schema_input_type=_NotNegative | _BytesText)]
"""A number of bytes: a whole number or a text such as ``624 KiB``."""

Hertz: TypeAlias = Annotated[float, BeforeValidator(parse_hertz, json_schema_input_type=_NotNegative | _HertzText)]
"""A frequency in hertz: a number or a text such as ``1.85 GHz``."""
