"""The words of an exploration: figures and parameters with their units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipusim.report.numbers import (
    UNKNOWN,
    format_bytes,
    format_count,
    format_engineering,
    format_percent,
    format_scaled,
    format_seconds,
)

_NAMES = {
    "seconds": "time",
    "energy_j": "energy",
    "power_w": "power",
    "area_mm2": "area",
    "tflops": "TFLOP/s",
    "tflops_per_w": "TFLOP/s per W",
    "tflops_per_mm2": "TFLOP/s per mm2",
    "max_tile_bytes": "fullest tile",
    "total_bytes": "memory used",
    "total_sram_bytes": "SRAM",
    "flops": "operations",
}

STATUSES = {
    "ok": "run and allowed",
    "constraint": "break a constraint",
    "excluded": "excluded",
    "infeasible": "do not fit",
    "invalid": "not possible",
    "failed": "failed",
}
"""What became of points."""

_UNITS = {"_bytes": "bytes", "_j": "J", "_w": "W", "_mm2": "mm2", "seconds": "s"}


def figure_words(name: str) -> str:
    """Return what a report calls a figure."""
    return _NAMES.get(name, name.replace("_", " "))


def axis_words(name: str) -> str:
    """Return what the axis of a figure is called, with the unit of its numbers."""
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending) and "_per_" not in name), "")
    return f"{figure_words(name)} in {unit}" if unit else figure_words(name)


def objective_words(objective: str) -> str:
    """Return an objective, such as ``cycles:asc``, in words: ``least cycles``."""
    name, _, direction = objective.partition(":")
    return f"{'most' if direction == 'desc' else 'least'} {figure_words(name)}"


def figure_text(name: str, value: float | None) -> str:
    """Return a figure with its unit."""
    if value is None:
        return UNKNOWN
    if name.endswith("_bytes"):
        return format_bytes(value)
    if name.startswith("cycles"):
        return format_count(value)
    special: dict[str, Callable[[float], str]] = {
        "seconds": format_seconds,
        "fraction_of_peak": format_percent,
        "flops": lambda number: format_scaled(number, "FLOP"),
        "tflops": lambda number: format_scaled(number * 1e12, "FLOP/s"),
        "energy_j": lambda number: format_engineering(float(f"{number:.3g}"), "J"),
        "power_w": lambda number: f"{number:.3g} W",
        "area_mm2": lambda number: f"{number:.4g} mm2",
    }
    return special[name](value) if name in special else f"{value:.4g}"


def parameter_name(name: str) -> str:
    """Return a parameter's name as a column can hold it: the last two parts of its path."""
    parts = name.removeprefix("chip.").split(".")
    return ".".join(parts[-2:]) if len(parts) > 2 else ".".join(parts)


def value_text(name: str, value: Any) -> str:
    """Return the value of a parameter."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, (int, float)):
        if name.endswith("_bytes"):
            return format_bytes(value)
        if name.endswith("_hz"):
            return format_engineering(float(f"{value:.5g}"), "Hz")
        return f"{value:.5g}" if isinstance(value, float) else str(value)
    return str(value)


def parameter_text(name: str, value: Any) -> str:
    """Return a parameter with its value: ``n_tiles 1472``."""
    return f"{parameter_name(name)} {value_text(name, value)}"


def group_text(name: str, text: str) -> str:
    """Return a value, or a range of values, of a parameter."""
    try:
        return " to ".join(value_text(name, float(part)) for part in text.split(" to "))
    except ValueError:
        return text
