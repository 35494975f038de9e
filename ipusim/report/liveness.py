"""Memory over program time: what is held at every superstep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ipusim.engine.memory import CATEGORIES, Allocation, MemoryMap
from ipusim.ir.regions import IntArray


def held_by_step(memory: MemoryMap, n_steps: int) -> Iterator[IntArray]:
    """Yield for every superstep the bytes on each tile: int64 array [n_tiles], the same array each time."""
    arriving: dict[int, list[Allocation]] = {}
    leaving: dict[int, list[Allocation]] = {}
    for item in memory.allocations:
        arriving.setdefault(item.first, []).append(item)
        leaving.setdefault(item.last, []).append(item)
    held: IntArray = np.zeros(len(memory.peak_bytes), dtype=np.int64)
    for index in range(n_steps):
        for item in arriving.get(index, ()):
            held += item.bytes_on_tile
        yield held
        for item in leaving.get(index, ()):
            held -= item.bytes_on_tile


def fullest_by_step(memory: MemoryMap, n_steps: int) -> list[int]:
    """Return for every superstep the most that any tile holds."""
    return [int(held.max(initial=0)) for held in held_by_step(memory, n_steps)]


def categories_by_step(memory: MemoryMap, n_steps: int, tile: int) -> dict[str, list[int]]:
    """Return for every category the bytes on `tile` at every superstep."""
    change = {category: np.zeros(n_steps + 1, dtype=np.int64) for category in CATEGORIES}
    for item in memory.allocations:
        n_bytes = int(item.bytes_on_tile[tile])
        change[item.category][min(item.first, n_steps)] += n_bytes
        change[item.category][min(item.last + 1, n_steps)] -= n_bytes
    return {category: [int(value) for value in steps[:-1].cumsum()] for category, steps in change.items()}
