"""Which streams have room for coming in early."""

from __future__ import annotations

import numpy as np

from ipusim.chip.model import Chip
from ipusim.engine.memory import MemoryMap, map_memory
from ipusim.engine.streaming import beside_stream, single_buffered, without_early
from ipusim.ir.program import Program


def with_room(program: Program, chip: Chip) -> tuple[Program, MemoryMap]:
    """Return the program with as many early streams as there is room for, and its memory.

    As long as a tile is too full at its peak while something comes in early, that one waits for its turn; last of all
    the slices of operands that are too large for the tiles.
    """
    memory = map_memory(program, chip)
    while not memory.fits:
        steps = [step for step, _ in program.supersteps()]
        crowded = {int(step) for step in np.unique(memory.peak_step[memory.peak_bytes > memory.tile_sram_bytes])}
        late = frozenset(
            index for index, step in enumerate(steps) if step.early and crowded & set(beside_stream(steps, index))
        )
        if not late:
            fewer = single_buffered(program)
            return (fewer, map_memory(fewer, chip)) if fewer != program else (program, memory)
        program = without_early(program, late)
        memory = map_memory(program, chip)
    return program, memory
