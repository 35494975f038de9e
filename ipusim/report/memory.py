"""The memory map of a program: how full the tiles are, and what lies on the fullest one."""

from __future__ import annotations

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from ipusim.engine.memory import MemoryMap
from ipusim.report.canvas import BAD, HEADING, QUIET, bar, columns, draw, heading, indented
from ipusim.report.numbers import format_bytes, format_percent

_SHOWN = 16
_BINS = 8
_BAR = 32


def render_memory(memory: MemoryMap, width: int = 80, colour: bool = False) -> str:
    """Return `memory` as text: the fullest tile with all that it holds at its peak, and a histogram over the tiles."""
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
