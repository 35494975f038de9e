"""Numbers as a person wants to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_SMALL = ("m", "u", "n", "p", "f", "a")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SUBSECOND = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_SUBJOULE = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "uJ"), (1e-9, "nJ"), (1e-12, "pJ"))
UNKNOWN = "-"
"""What stands for a value that is not there."""


def format_count(value: float | None) -> str:
    """Return a whole number with thousands separators: ``66,304``."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def format_scaled(value: float | None, unit: str) -> str:
    """Return a quantity with a decimal prefix and three figures: ``201 TFLOP/s`` from 2.01e14 and ``FLOP/s``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    index = 0
    while abs(value) >= 999.5 and index + 1 < len(_DECIMAL):
        value, index = value / 1000, index + 1
    return f"{_figures(value)} {_DECIMAL[index]}{unit}".rstrip()


def format_engineering(value: float, unit: str) -> str:
    """Return a quantity with the decimal prefix that suits it and up to six figures: ``1.328 GHz``, ``300 fJ/B``."""
    exponent = math.floor(math.log10(abs(value)) / 3 + 1e-9) if value else 0
    exponent = min(max(exponent, -len(_SMALL)), len(_DECIMAL) - 1)
    prefix = _DECIMAL[exponent] if exponent >= 0 else _SMALL[-exponent - 1]
    return f"{value / 1000.0**exponent:.6g} {prefix}{unit}"


def format_bytes(value: float | None) -> str:
    """Return a size with a binary prefix: ``412 KiB``."""
    if value is None:
        return UNKNOWN
    index = 0
    while abs(value) >= 1000 and index + 1 < len(_BINARY):
        value, index = value / 1024, index + 1
    return f"{value:.0f} B" if index == 0 else f"{_figures(value)} {_BINARY[index]}"


def format_seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it: ``66.8 us``."""
    if value is None:
        return UNKNOWN
    for scale, unit in _SUBSECOND:
        if abs(value) >= scale:
            return f"{_figures(value / scale)} {unit}"
    return "0 s" if value == 0 else f"{value:.2g} s"


def format_joules(value: float | None) -> str:
    """Return an energy with a decimal prefix and three figures: ``22.1 mJ``."""
    if value is None or not math.isfinite(value) or value >= 1:
        return format_scaled(value, "J")
    for scale, unit in _SUBJOULE:
        if abs(value) >= scale:
            return f"{_figures(value / scale)} {unit}"
    return f"{value:.2g} J" if value else "0 J"


def format_percent(fraction: float | None) -> str:
    """Return a fraction as a percentage: ``31.4 %``; tiny fractions are not rounded to nothing."""
    if fraction is None:
        return UNKNOWN
    if 0 < abs(fraction) < 0.0005:
        return "<0.1 %" if fraction > 0 else ">-0.1 %"
    return f"{100 * fraction:.1f} %"


def format_error(value: float | None) -> str:
    """Return a numerical error with two figures: ``3.1e-04``."""
    return UNKNOWN if value is None else f"{value:.2g}"


def _figures(value: float) -> str:
    if value == 0:
        return "0"
    value = float(f"{value:.3g}") if abs(value) < 1000 else value
    digits = 2 - math.floor(math.log10(abs(value)) + 1e-9)
    return f"{value:,.{min(max(digits, 0), 4)}f}"


def format_shares(parts: Mapping[str, float | None]) -> str:
    """Return the shares of some parts in their sum, the largest first: ``arithmetic 60, static 40 %``."""
    known = [(name, part) for name, part in parts.items() if part]
    total = sum(part for _, part in known)
    shares = (f"{name} {100 * part / total:.0f}" for name, part in sorted(known, key=lambda item: -item[1]))
    return f"{', '.join(shares)} %" if known else UNKNOWN
