"""Finds number formats: every module of this package that defines ``FORMAT`` is one."""

from __future__ import annotations

import difflib
from functools import cache

from ipusim.formats.format import Format
from ipusim.registry import Registry

_FORMATS = Registry("ipusim.formats", "FORMAT", Format, {"format", "loss_scale", "registry", "rounding", "scale"})

WHOLE_NUMBERS = "int32"
"""Name of the format of whole numbers, which is not among the floating-point formats."""


@cache
def format_names() -> tuple[str, ...]:
    """Return the names of all floating-point formats, sorted, without importing any."""
    return tuple(name for name in _FORMATS.names() if name != WHOLE_NUMBERS)


@cache
def number_format(name: str) -> Format:
    """Return the number format called `name`, be it one of floating point or :data:`WHOLE_NUMBERS`.

    Raises
    ------
    KeyError
        There is no such format; the message names those that exist.
    """
    try:
        return _FORMATS.find(name)
    except KeyError:
        close = difflib.get_close_matches(name, format_names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise KeyError(f"no number format {name!r}{hint}; there are {', '.join(format_names())}") from None
