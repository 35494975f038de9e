"""Operands that stream in from DRAM: how long that takes, what hides it, and whether there is room for it.

What lies in DRAM comes in once for each op that reads it, in one superstep before all others of that op. Every byte
crosses the DRAM's interface once, and each tile receives its share over the exchange:
``max(ceil(bytes * clock_hz / dram_bytes_per_s), longest share at exchange_bytes_per_cycle)`` cycles, and an external
sync. A stacked DRAM (``dram_stacked``) delivers while the tiles compute: then the cycles of all that runs since the
stream before are hidden, for a second buffer that lives as long. That it disturbs nothing meanwhile is an assumption.

An operand that is too large for the tiles comes in slice by slice in the loop of its op: before each iteration, or,
with a stacked DRAM, beside the iteration before. Only the slice (or two) has to be in SRAM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from ipusim.chip.model import Chip
from ipusim.cost.exchange import rate_sixteenths
from ipusim.engine.trace import SuperstepTime
from ipusim.ir.program import Program, Repeat, Superstep
from ipusim.ir.regions import IntArray
from ipusim.lower.homes import home_bytes


def beside_stream(steps: Sequence[Superstep], index: int) -> range:
    """Return the supersteps beside which number `index` streams in: those since the stream before, if it is early."""
    if not steps[index].early:
        return range(0)
    streams = (other for other in range(index - 1, -1, -1) if steps[other].streams)
    before = next(streams, -1)
    begin = before + 1
    while before >= 0 and steps[before].slices > 1 and begin < index and steps[begin].op == steps[before].op:
        begin += 1  # the loop beside which the slices come in
    return range(begin, index)


def beside_slices(program: Program) -> dict[int, range]:
    """Return for every superstep that brings in the slice of the next iteration those that run beside it."""
    found: dict[int, range] = {}
    number = 0
    for step in program.steps:
        body = step.body if isinstance(step, Repeat) else (step,)
        found |= {number + at: range(number, number + len(body)) for at, inner in enumerate(body) if inner.ahead}
        number += len(body)
    return found


def time_stream(step: Superstep, hidden: int, program: Program, chip: Chip, count: int = 1) -> SuperstepTime:
    """Return the time of a superstep that streams operands in.

    Parameters
    ----------
    step : Superstep
    hidden : int
        Cycles of what runs at the same time.
    program : Program
    chip : Chip
        Its ``dram_bytes_per_s`` is above 0.
    count : int
        How often it runs.

    Raises
    ------
    ValueError
        When the chip's DRAM has no rate.
    """
    if not chip.dram_bytes_per_s:
        raise ValueError(f"the chip {chip.name!r} has no dram_bytes_per_s")
    variables = [program.variables[name] for name in step.streams]
    n_bytes = -(-sum(variable.n_elements * variable.element_bytes for variable in variables) // step.slices)
    nothing: IntArray = np.zeros(program.n_tiles, dtype=np.int64)
    received: IntArray = sum((home_bytes(variable, program.n_tiles) for variable in variables), nothing)
    received = received // step.slices
    share = -(-16 * int(received.max(initial=0)) // rate_sixteenths(chip.exchange_bytes_per_cycle))
    full = max(ceil(n_bytes * float(chip.clock_hz) / float(chip.dram_bytes_per_s)), share)
    charged, sync = max(0, full - hidden), int(chip.external_sync_cycles)
    terms = {label: cycles for label, cycles in (("external sync", sync), ("dram", charged)) if cycles}
    busy = np.where(received > 0, charged, 0).astype(np.int64)
    return SuperstepTime(step.name, step.op, count, 0, sync, charged, terms, nothing, busy, nothing, received, n_bytes)


def single_buffered(program: Program) -> Program:
    """Return the program in which slices come in before their own iteration, not beside the one before."""
    steps: list[Superstep | Repeat] = []
    for step in program.steps:
        if isinstance(step, Superstep) or not any(inner.ahead for inner in step.body):
            steps.append(step)
            continue
        first = next(inner for inner in step.body if inner.ahead)
        steps = [each for each in steps if not (isinstance(each, Superstep) and each.streams == first.streams)]
        body = (replace(inner, name=inner.name.removesuffix(" ahead"), ahead=False) for inner in step.body)
        steps.append(Repeat(step.count, tuple(body)))
    return replace(program, steps=tuple(steps))


def without_early(program: Program, late: frozenset[int]) -> Program:
    """Return the program in which some streams do not come in early.

    Parameters
    ----------
    program : Program
    late : frozenset of int
        Numbers of their supersteps, as :meth:`Program.supersteps` counts.
    """
    steps: list[Superstep | Repeat] = []
    number = 0
    for step in program.steps:
        late_one = isinstance(step, Superstep) and number in late
        steps.append(replace(step, early=False) if isinstance(step, Superstep) and late_one else step)
        number += len(step.body) if isinstance(step, Repeat) else 1
    return replace(program, steps=tuple(steps))
