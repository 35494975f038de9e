"""A small map of the tiles and a line of memory over the program, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, heading, indented
from ipusim.report.numbers import format_bytes, format_count
from ipusim.report.profile.pack import unpack

_SHADES = " ░▒▓█"
_HEIGHTS = "▁▂▃▄▅▆▇█"
_MAP_ROWS = 6
_COLUMNS = 64


def tile_parts(profile: Mapping[str, Any]) -> list[RenderableType]:
    """Return a map of the compute cycles of the tiles, and the memory of the fullest tile at every superstep.

    Parameters
    ----------
    profile : Mapping
        The ``profile`` of a result.
    """
    tiles = profile["tiles"]
    cycles = unpack(tiles["maps"][tiles["whole"]]["compute"])
    if not cycles.any():
        return []
    note = f"of each tile on the chip; █ up to {format_count(int(cycles.max()))}, blank: none"
    lines = [
        indented(Text(line, "green")) for line in shaded_map(cycles, unpack(profile["column"]), unpack(profile["row"]))
    ]
    largest = profile["memory"]["largest"]
    memory = columns("left", "left", "left")
    peak = Text(f"at most {format_bytes(max(largest))}", QUIET)
    memory.add_row(Text("memory", HEADING), Text(sparkline(largest, _COLUMNS // 2), "cyan"), peak)
    caption = indented(Text("of the fullest tile over the program", QUIET))
    return [heading("Compute cycles", note), *lines, Text(""), indented(memory), caption]


def shaded_map(values: NDArray[Any], column: NDArray[Any], row: NDArray[Any]) -> list[str]:
    """Return lines in which the mean of neighbouring tiles is a shade of five, from nothing to the largest."""
    wide, high = _pooled(column, _COLUMNS), _pooled(row, _MAP_ROWS)
    n_columns, n_rows = int(wide.max()) + 1, int(high.max()) + 1
    place = high * n_columns + wide
    sums = np.bincount(place, weights=values, minlength=n_rows * n_columns)
    counts = np.bincount(place, minlength=n_rows * n_columns)
    shares = sums / np.maximum(counts, 1) / max(float(values.max()), 1.0)
    levels = np.ceil(shares * (len(_SHADES) - 1) - 1e-9).astype(int).reshape(n_rows, n_columns)
    return ["".join(_SHADES[level] for level in line) for line in levels]


def sparkline(values: Sequence[float], width: int) -> str:
    """Return values as a line of bars of at most `width`, each the largest of its part; heights start at zero."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) > width:
        array = np.maximum.reduceat(array, np.arange(width) * len(array) // width)
    top = max(float(array.max(initial=0.0)), 1e-300)
    steps = np.minimum(array / top * len(_HEIGHTS), len(_HEIGHTS) - 1).astype(int)
    return "".join(_HEIGHTS[step] for step in steps)


def _pooled(place: NDArray[Any], most: int) -> NDArray[np.int64]:
    size = -(-(int(place.max()) + 1) // most)
    found: NDArray[np.int64] = place.astype(np.int64) // size
    return found
