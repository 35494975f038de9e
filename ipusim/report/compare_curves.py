"""Speed-up against density as curves of letters, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import indented
from ipusim.report.compare_words import Document, density_text

_HEIGHT = 13
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_MARKS = "abcdefghijklmnopqrstuvwxyz"
_AXIS = 8

Series = Mapping[float, float]
"""Density to speed-up."""


def curves(cells: Sequence[Document], width: int) -> RenderableType | None:
    """Return a plot of the speed-ups of cells of one condition; None with fewer than two densities.

    Both axes are logarithmic. Each letter is a mode with a block size; where two fall together, the first is shown.
    """
    series: dict[str, dict[float, float]] = {}
    for cell in cells:
        if cell["speedup"]:
            series.setdefault(f"{cell['mode']} {cell['block_size']}", {})[cell["density"]] = cell["speedup"]
    densities = sorted({density for points in series.values() for density in points}, reverse=True)
    if len(densities) < 2 or len(series) > len(_MARKS):
        return None
    lines = _plot(list(series.values()), densities, min(width - _AXIS - 6, 60))
    legend = ", ".join(f"{mark} {name}" for mark, name in zip(_MARKS, series, strict=False))
    return indented(Text("\n".join([*lines, "", legend])))


def _plot(series: Sequence[Series], densities: Sequence[float], width: int) -> list[str]:
    values = [value for points in series for value in points.values()]
    low, high = math.log(min(*values, 0.8)), math.log(max(*values, 1.25))
    grid = [[" "] * width for _ in range(_HEIGHT)]

    def column(density: float) -> int:
        span = math.log(densities[0] / densities[-1])
        return round(math.log(densities[0] / density) / span * (width - 1))

    def row(speedup: float) -> int:
        return round((high - math.log(speedup)) / (high - low) * (_HEIGHT - 1))

    grid[row(1.0)] = ["-"] * width
    for points in series:
        _join(grid, [(column(density), row(points[density])) for density in densities if density in points])
    for mark, points in reversed(list(zip(_MARKS, series, strict=False))):
        for density, speedup in points.items():
            grid[row(speedup)][column(density)] = mark
    labels = {row(tick): f"{tick:g}x" for tick in _TICKS if low <= math.log(tick) <= high}
    lines = [f"{labels.get(number, ''):>{_AXIS - 2}} |{''.join(cells)}".rstrip() for number, cells in enumerate(grid)]
    return [*lines, " " * (_AXIS - 1) + "+" + "-" * width, _density_axis(densities, column, width)]


def _join(grid: list[list[str]], places: Sequence[tuple[int, int]]) -> None:
    """Draw dots between neighbouring places."""
    for (x0, y0), (x1, y1) in pairwise(places):
        for x in range(x0 + 1, x1):
            y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
            grid[y][x] = "."


def _density_axis(densities: Sequence[float], column: object, width: int) -> str:
    assert callable(column)
    line = [" "] * (width + _AXIS + 8)
    free = 0
    for density in densities:
        text = density_text(density)
        start = max(0, _AXIS + column(density) - len(text) // 2)
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(line).rstrip()
