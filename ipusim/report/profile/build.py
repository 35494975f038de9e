"""The profile of a run: plain values, a few hundred kilobytes of JSON whatever the program and the chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ipusim.chip.model import Chip
from ipusim.cost.layout import exchange_rows
from ipusim.engine.memory import MemoryMap
from ipusim.engine.trace import Trace
from ipusim.ir.program import Program
from ipusim.report.profile.exchange import exchange_matrix
from ipusim.report.profile.maps import tile_maps
from ipusim.report.profile.memory import largest_by_step, memory_profile
from ipusim.report.profile.pack import Cells, cells_of, pack
from ipusim.report.profile.supersteps import superstep_columns
from ipusim.report.timeline import program_loops

SCHEMA = "ipusim-profile-1"


def build_profile(
    program: Program, trace: Trace, memory: MemoryMap, chip: Chip, ops: Mapping[str, float]
) -> dict[str, Any]:
    """Return what the reports show of a run beside its result.

    Parameters
    ----------
    program : Program
    trace : Trace
    memory : MemoryMap
    chip : Chip
    ops : Mapping of str to float
        The operators of the graph in program order, with the peak of the AMP in their formats in FLOP/s, or 0.
    """
    cells = cells_of(trace.n_tiles)
    names = list(ops)
    return {
        "schema": SCHEMA,
        "n_tiles": trace.n_tiles,
        "tiles_per_cell": cells.tiles_per_cell,
        "clock_hz": chip.clock_hz,
        **_places(chip, cells),
        "supersteps": superstep_columns(trace, program_loops(program), names),
        "tiles": tile_maps(trace, names, cells),
        "memory": memory_profile(memory, len(trace.steps), cells),
        "exchange": exchange_matrix(program),
        "roofline": _roofline(program, chip, ops),
    }


def build_outline(trace: Trace, memory: MemoryMap, chip: Chip) -> dict[str, Any]:
    """Return the few parts of a profile that a terminal shows: the map of the whole program, and its memory."""
    cells = cells_of(trace.n_tiles)
    return {
        **_places(chip, cells),
        "tiles": tile_maps(trace, (), cells, by_step=False),
        "memory": {"largest": largest_by_step(memory, len(trace.steps))},
    }


def _places(chip: Chip, cells: Cells) -> dict[str, str]:
    """Return column and row of every cell on the map: as the exchange has it, or line by line where they are groups."""
    if cells.tiles_per_cell > 1:
        index = np.arange(-(-cells.n_tiles // cells.tiles_per_cell), dtype=np.int64)
        return {"column": pack(index % 64), "row": pack(index // 64)}
    n_tiles, bus = cells.n_tiles, chip.tiles_per_exchange_bus
    rows = exchange_rows(n_tiles, chip.tiles_per_exchange_row, bus)
    n_rows = max(1, -(-n_tiles // chip.tiles_per_exchange_row))
    tile = np.arange(n_tiles, dtype=np.int64)
    return {"column": pack(tile // bus // n_rows * bus + tile % bus), "row": pack(rows)}


def _roofline(program: Program, chip: Chip, ops: Mapping[str, float]) -> dict[str, Any]:
    """Return the ceilings, and the bytes that the vertices of each operator read and write, each operand once."""
    touched = dict.fromkeys(ops, 0)
    elements: dict[int, int] = {}
    for step, count in program.supersteps():
        for vertices in step.compute:
            for operand in vertices.operands:
                regions = operand.regions
                if id(regions) not in elements:
                    elements[id(regions)] = int(regions.n_elements.sum())
                touched[step.op] = touched.get(step.op, 0) + (
                    count * elements[id(regions)] * program.variables[operand.variable].element_bytes
                )
    return {
        "sram_bytes": [touched[op] for op in ops],
        "peak_flops": list(ops.values()),
        "sram_bytes_per_s": chip.sram_read_bytes_per_s,
        "exchange_bytes_per_s": chip.exchange_bytes_per_s,
    }
