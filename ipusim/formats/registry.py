"""Finds number formats: every module of this package that defines ``FORMAT`` is one."""

from __future__ import annotations

import difflib
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ipusim.formats.format import Format

_MACHINERY = frozenset({"format", "loss_scale", "registry", "rounding", "scale"})

WHOLE_NUMBERS = "int32"
"""Name of the format of whole numbers, which is not among the floating-point formats."""


@cache
def format_names() -> tuple[str, ...]:
    """Return the names of all floating-point formats, sorted, without importing any."""
    found = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return tuple(sorted(found - _MACHINERY - {WHOLE_NUMBERS}))


@cache
def number_format(name: str) -> Format:
    """Return the number format called `name`, be it one of floating point or :data:`WHOLE_NUMBERS`.

    Raises
    ------
    KeyError
        There is no such format; the message names those that exist.
    """
    if name not in (*format_names(), WHOLE_NUMBERS):
        close = difflib.get_close_matches(name, format_names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise KeyError(f"no number format {name!r}{hint}; there are {', '.join(format_names())}")
    found = import_module(f"ipusim.formats.{name}").FORMAT
    assert isinstance(found, Format)
    return found
