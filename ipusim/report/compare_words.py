"""The words of a comparison: densities, conditions, speed-ups, and its cells by place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ipusim.report.numbers import UNKNOWN

Document = Mapping[str, Any]
CONDITION = ("features", "batch", "dtype")
"""Keys that a dense baseline and its cells share."""


def density_text(density: float) -> str:
    """Return a density as people write it: ``1/16``, ``1/5.3``, or ``0.7`` above one half."""
    inverse = 1 / density
    if abs(inverse - round(inverse)) < 1e-6 * inverse:
        return f"1/{round(inverse)}" if round(inverse) > 1 else "1"
    return f"1/{inverse:.3g}" if density <= 0.5 else f"{density:.3g}"


def condition_key(cell: Document) -> tuple[Any, ...]:
    """Return what tells the condition of a cell from others."""
    return tuple(cell[key] for key in CONDITION)


def condition_text(cell: Document) -> str:
    """Return the condition of a cell: ``float16, 4096 features, batch 256``."""
    words = [cell["dtype"]]
    words += [f"{cell['features']} features"] if cell["features"] else []
    words += [f"batch {cell['batch']}"] if cell["batch"] else []
    return ", ".join(words)


def varying(cells: Iterable[Document]) -> tuple[str, ...]:
    """Return which parts of the condition differ among cells; the batch if none does."""
    listed = list(cells)
    return tuple(key for key in CONDITION if len(values_of(listed, key)) > 1) or ("batch",)


def constant_text(cells: Sequence[Document]) -> str:
    """Return the parts of the condition that all cells share, in words."""
    keys = varying(cells)
    words = {"features": "features", "batch": "batch", "dtype": ""}
    shared = [f"{words[key]} {cells[0][key]}".strip() for key in CONDITION if key not in keys and cells[0][key]]
    return ", ".join(shared)


def speedup_text(speedup: float | None) -> str:
    """Return a speed-up with three figures: ``0.412x``, ``4.90x``."""
    if speedup is None:
        return UNKNOWN
    digits = 0 if speedup >= 99.95 else 1 if speedup >= 9.995 else 2 if speedup >= 0.9995 else 3
    return f"{speedup:.{digits}f}x"


def values_of(cells: Iterable[Document], key: str) -> list[Any]:
    """Return the different values that cells have for a key, in their order."""
    return list(dict.fromkeys(cell[key] for cell in cells))


def by_condition(cells: Iterable[Document]) -> dict[tuple[Any, ...], list[Document]]:
    """Return the cells of every condition, in their order."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for cell in cells:
        groups.setdefault(condition_key(cell), []).append(cell)
    return groups
