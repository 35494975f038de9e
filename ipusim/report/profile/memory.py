"""Memory by tile and by superstep."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipusim.engine.memory import CATEGORIES, MemoryMap
from ipusim.ir.regions import IntArray
from ipusim.report.liveness import categories_by_step, held_by_step
from ipusim.report.profile.pack import Cells, pack

MOST_CONTENTS = 1500
"""Of what lies on the fullest tile, the largest are listed."""


def largest_by_step(memory: MemoryMap, n_steps: int) -> list[int]:
    """Return the most bytes on any tile at every superstep."""
    return [int(held.max(initial=0)) for held in held_by_step(memory, n_steps)]


def memory_profile(memory: MemoryMap, n_steps: int, cells: Cells) -> dict[str, Any]:
    """Return where and when memory is used.

    Returns
    -------
    dict
        ``by_tile``: category to packed bytes of every cell at the tile's own peak; ``peak_step`` of the fullest tile;
        ``by_step``: category to bytes on the fullest tile at every superstep; ``largest``, ``mean``: over the tiles, at
        every superstep; ``contents``: name, category, first and last superstep and bytes on the fullest tile;
        ``omitted_bytes``: of what is not listed.
    """
    tile = memory.worst_tile
    mean = [round(float(held.mean())) for held in held_by_step(memory, n_steps)]
    contents = [
        (item.name, item.category, item.first, min(item.last, n_steps - 1), int(item.bytes_on_tile[tile]))
        for item in memory.allocations
        if item.bytes_on_tile[tile]
    ]
    contents.sort(key=lambda entry: -entry[-1])
    return {
        "by_tile": {category: pack(values) for category, values in _by_tile(memory, cells).items()},
        "peak_step": int(memory.peak_step[tile]),
        "by_step": categories_by_step(memory, n_steps, tile),
        "largest": largest_by_step(memory, n_steps),
        "mean": mean,
        "contents": [list(entry) for entry in contents[:MOST_CONTENTS]],
        "omitted_bytes": sum(entry[-1] for entry in contents[MOST_CONTENTS:]),
    }


def _by_tile(memory: MemoryMap, cells: Cells) -> dict[str, IntArray]:
    """Return the bytes of each category at the peak of the fullest tile of every cell."""
    found = {category: np.zeros(len(memory.peak_bytes), dtype=np.int64) for category in CATEGORIES}
    for item in memory.allocations:
        lives = (item.first <= memory.peak_step) & (memory.peak_step <= item.last)
        found[item.category] += np.where(lives, item.bytes_on_tile, 0)
    size = cells.tiles_per_cell
    starts = range(0, cells.n_tiles, size)
    fullest = np.array([start + int(memory.peak_bytes[start : start + size].argmax()) for start in starts])
    return {category: values[fullest] for category, values in found.items()}
