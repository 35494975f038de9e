"""When every superstep of a program runs: loops written out, or each drawn as one where there are too many runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.ir.program import Program, Repeat

Loop = tuple[int, int, int]
"""First superstep, number of supersteps, number of runs."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A superstep in time.

    Attributes
    ----------
    index : int
        Superstep of the trace.
    start : int
        Cycle at which it begins.
    run : int
        Which run of its loop it is, from 0.
    runs : int
        How many runs it stands for: one, or all of its loop.
    """

    index: int
    start: int
    run: int
    runs: int


def program_loops(program: Program) -> list[Loop]:
    """Return the loops of `program` in terms of the supersteps of its trace."""
    found: list[Loop] = []
    index = 0
    for step in program.steps:
        size = len(step.body) if isinstance(step, Repeat) else 1
        if isinstance(step, Repeat):
            found.append((index, size, step.count))
        index += size
    return found


def timeline(trace: Trace, loops: Sequence[Loop], most: int) -> list[Occurrence]:
    """Return the supersteps in the order in which they run.

    Loops are written out if that makes no more than `most` occurrences. If not, each superstep of a loop stands once,
    with the time of all its runs.
    """
    written_out = trace.n_supersteps <= most
    bodies = {first: (size, count) for first, size, count in loops}
    found: list[Occurrence] = []
    clock = index = 0
    while index < len(trace.steps):
        size, count = bodies.get(index, (1, 1))
        passes, runs = (count, 1) if written_out else (1, count)
        for run in range(passes):
            for at in range(index, index + size):
                times = min(runs, trace.steps[at].count)
                if run >= trace.steps[at].count:
                    continue
                found.append(Occurrence(at, clock, run, times))
                clock += trace.steps[at].cycles * times
        index += size
    return found


def operator_spans(trace: Trace, found: Sequence[Occurrence]) -> list[tuple[str, int, int]]:
    """Return name, start and end (in cycles) of every stretch of supersteps that belong to the same operator."""
    spans = []
    for op, group in groupby(found, key=lambda each: trace.steps[each.index].op):
        members = list(group)
        spans.append((op, members[0].start, _end(trace.steps[members[-1].index], members[-1])))
    return spans


def _end(step: SuperstepTime, occurrence: Occurrence) -> int:
    return occurrence.start + step.cycles * occurrence.runs
