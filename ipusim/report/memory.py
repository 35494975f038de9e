"""The memory map of a program: how full the tiles are, and what lies on the fullest one, at its peak and over time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from ipusim.engine.memory import MemoryMap
from ipusim.ir.regions import IntArray
from ipusim.report.canvas import BAD, HEADING, QUIET, bar, columns, draw, heading, indented
from ipusim.report.numbers import format_bytes, format_percent

_SHOWN = 16
_BINS = 8
_BAR = 32
_TILES = 5
_COLUMNS = 64
_LEVELS = " ▁▂▃▄▅▆▇█"


def render_memory(memory: MemoryMap, width: int = 80, colour: bool = False) -> str:
    """Return `memory` as text.

    The fullest tile with all that it holds at its peak, and its memory over the program; the fullest tiles; a histogram
    over all tiles.
    """
    tile, capacity = memory.worst_tile, memory.tile_sram_bytes
    share = memory.max_tile_bytes / capacity
    first = columns("left", "left", "right", "left")
    size = f"{format_bytes(memory.max_tile_bytes)} of {format_bytes(capacity)}"
    first.add_row(f"tile {tile}", bar(share, _BAR, "cyan"), format_percent(share), size)
    parts: list[RenderableType] = [
        Text.assemble(("Fullest tile", HEADING), (f"  at superstep {int(memory.peak_step[tile]) + 1}", QUIET)),
        indented(first),
    ]
    if not memory.fits:
        parts.append(indented(Text(f"does not fit: {format_bytes(memory.max_tile_bytes - capacity)} too much", BAD)))
    parts += [heading("What it holds then"), indented(_contents(memory, tile))]
    parts += [
        heading("Over the program", f"{memory.n_steps:,} supersteps; always there: {_always(memory, tile)}"),
        indented(Text(sparkline(memory.held(tile), memory.max_tile_bytes), "cyan")),
        heading("Fullest tiles"),
        indented(_tiles(memory)),
    ]
    parts += [
        heading("Tiles by their peak", f"{format_bytes(memory.total_bytes)} in all"),
        indented(_histogram(memory)),
    ]
    return draw(parts, width, colour)


def _contents(memory: MemoryMap, tile: int) -> RenderableType:
    table = columns("left", "left", "right", "right", "left")
    table.add_row(*(Text(title, HEADING) for title in ("what", "category", "bytes", "share", "supersteps")))
    contents = memory.contents(tile)
    total = sum(n_bytes for _, n_bytes in contents) or 1
    for item, n_bytes in contents[:_SHOWN]:
        lives = f"{item.first + 1} to {item.last + 1}" if item.name else "always"
        table.add_row(
            item.name or "-", item.category, format_bytes(n_bytes), format_percent(n_bytes / total), Text(lives, QUIET)
        )
    if len(contents) > _SHOWN:
        rest = sum(n_bytes for _, n_bytes in contents[_SHOWN:])
        table.add_row(f"{len(contents) - _SHOWN} more", "", format_bytes(rest), format_percent(rest / total), "")
    return table


def _histogram(memory: MemoryMap) -> RenderableType:
    top = max(memory.max_tile_bytes, 1)
    counts, edges = np.histogram(memory.peak_bytes, bins=_BINS, range=(0, top))
    table = columns("right", "left", "right")
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        label = f"{format_bytes(round(low))} to {format_bytes(round(high))}"
        table.add_row(label, bar(count / len(memory.peak_bytes), _BAR, "cyan"), f"{count:,} tiles")
    return table


def sparkline(values: IntArray, full: int, width: int = _COLUMNS) -> str:
    """Return bytes over time (int64 array) as a line of blocks: the most of equal spans, the highest for `full`."""
    edges = np.linspace(0, len(values), min(width, len(values)) + 1).round().astype(np.int64)
    tops = [int(values[low:high].max(initial=0)) for low, high in pairwise(edges)]
    most = len(_LEVELS) - 1
    return "".join(_LEVELS[min(most, -(-top * most // max(full, 1)))] for top in tops)


def _always(memory: MemoryMap, tile: int) -> str:
    return format_bytes(int(memory.always_live[tile]))


def _tiles(memory: MemoryMap) -> RenderableType:
    """Return the fullest tiles: their peak, when it is, what is always there, and the largest thing at the peak."""
    table = columns("left", "right", "right", "right", "left")
    table.add_row(*(Text(title, HEADING) for title in ("tile", "peak", "superstep", "always", "largest at the peak")))
    always = memory.always_live
    order = np.lexsort((np.arange(len(memory.peak_bytes)), -memory.peak_bytes))
    for tile in (int(each) for each in order[:_TILES]):
        contents = memory.contents(tile)
        item, n_bytes = contents[0] if contents else (None, 0)
        largest = f"{item.name or item.category} ({format_bytes(n_bytes)})" if item else "-"
        table.add_row(
            str(tile),
            format_bytes(int(memory.peak_bytes[tile])),
            f"{int(memory.peak_step[tile]) + 1:,}",
            format_bytes(int(always[tile])),
            largest,
        )
    return table
