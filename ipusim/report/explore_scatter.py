"""Two objectives of all points as a scatter of characters, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import indented
from ipusim.report.explore_words import figure_text, figure_words

_HEIGHT = 15
_AXIS = 12


def scatter(document: Mapping[str, Any], width: int) -> RenderableType | None:
    """Return the first two objectives, the first to the right; None with fewer than three different points.

    Axes are logarithmic where all values are positive and differ by more than ten times.
    """
    names = [each.partition(":")[0] for each in document["objectives"]][:2]
    cloud = [(each[0], each[1]) for each in document["cloud"]]
    front = [(point["figures"][names[0]], point["figures"][names[1]]) for point in document["pareto"]]
    every = [*cloud, *front]
    if len(set(every)) < 3:
        return None
    across, up = ([each[axis] for each in every] for axis in (0, 1))
    columns = min(width - _AXIS - 6, 60)
    grid = [[" "] * columns for _ in range(_HEIGHT)]
    for mark, places in ((".", cloud), ("o", front)):
        for x, y in places:
            grid[_HEIGHT - 1 - _place(y, up, _HEIGHT)][_place(x, across, columns)] = mark
    labels = {0: figure_text(names[1], max(up)), _HEIGHT - 1: figure_text(names[1], min(up))}
    lines = [figure_words(names[1])]
    lines += [f"{labels.get(row, ''):>{_AXIS}} |{''.join(cells)}".rstrip() for row, cells in enumerate(grid)]
    low, high = (figure_text(names[0], bound) for bound in (min(across), max(across)))
    middle = figure_words(names[0]).center(max(0, columns - len(low) - len(high)))
    lines += [" " * (_AXIS + 1) + "+" + "-" * columns, f"{' ' * (_AXIS + 2)}{low}{middle}{high}"]
    return indented(Text("\n".join(lines)))


def is_wide(values: Sequence[float]) -> bool:
    """Tell whether an axis of these values is better logarithmic."""
    return min(values) > 0 and max(values) > 10 * min(values)


def _place(value: float, values: Sequence[float], size: int) -> int:
    low, high = min(values), max(values)
    if high == low:
        return size // 2
    if is_wide(values):
        value, low, high = math.log(value), math.log(low), math.log(high)
    return round((value - low) / (high - low) * (size - 1))
