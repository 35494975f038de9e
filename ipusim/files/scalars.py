"""Plain YAML scalars by the core schema of YAML 1.2 (section 10.3.2 of its specification).

PyYAML follows YAML 1.1, where ``1e6`` is a text, ``no`` is false and ``010`` is eight.
"""

from __future__ import annotations

import math
import re

from ipusim.files.wording import FieldError

MAX_INT = 2**63 - 1
"""Largest magnitude of a whole number in a file."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")


def parse_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of a plain (unquoted) scalar.

    Raises
    ------
    FieldError
        For NaN, infinities and numbers beyond 64 bits: no file of ipusim has a use for them.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if not (text[0].isdigit() or text[0] in "+-."):
        return text
    if _INT.match(text):
        return check_int(int(text)) if len(text) < 30 else check_int(MAX_INT + 1, text)
    if _BASED_INT.match(text):
        return check_int(int(text[2:], 8 if text[1] == "o" else 16))
    if _FLOAT.match(text):
        return check_float(float(text), text)
    if _NOT_FINITE.match(text):
        return check_float(math.nan, text)
    return text


def check_int(number: int, text: str = "") -> int:
    """Return `number`, or raise FieldError when it is beyond 64 bits; `text` is how the user wrote it."""
    if abs(number) <= MAX_INT:
        return number
    shown = text or (str(number) if number.bit_length() < 128 else f"one of {number.bit_length()} bits")
    found = shown if len(shown) <= 40 else f"one of {len(shown)} digits"
    raise FieldError(f"whole numbers go up to {MAX_INT}, found {found}")


def check_float(number: float, text: str = "") -> float:
    """Return `number`, or raise FieldError when it is NaN or infinite; `text` is how the user wrote it."""
    if math.isfinite(number):
        return number
    raise FieldError(f"{text or number} is not a finite number")
