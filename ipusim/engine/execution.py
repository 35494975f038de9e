"""Execute a program: the values that its vertices compute, each from what its tile holds.

All copies of an element hold the same value, so that values live once, by storage, and transfers move nothing; that a
tile holds what its vertices read is the matter of :mod:`ipusim.engine.residency`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ipusim.engine.executors import Bound, executor
from ipusim.engine.initial import Initial
from ipusim.engine.residency import Residency
from ipusim.engine.rounding import NEAREST, Rounding
from ipusim.engine.values import F32Array, Values, last_uses, stationary_variables, written_storages
from ipusim.ir.program import Program, Repeat, Superstep, VertexSet
from ipusim.ir.regions import volume
from ipusim.kernels.workers import Workers

Progress = Callable[[float, str], None]
AfterOp = Callable[[str, Values], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the execution of a program has to know of it beforehand; the same in every run.

    Attributes
    ----------
    ops_at : mapping of int to tuple of str
        Ops whose last superstep is in a step of the program.
    releases_at : mapping of int to tuple of str
        Storages that nothing needs after a step.
    stationary : frozenset of str
        Variables that stay where the first iteration of their loop has them.
    written : frozenset of str
        Storages that some vertex writes.
    """

    ops_at: Mapping[int, tuple[str, ...]]
    releases_at: Mapping[int, tuple[str, ...]]
    stationary: frozenset[str]
    written: frozenset[str]


def schedule_program(program: Program) -> Schedule:
    """Return what every run of `program` has to know of it."""
    last_of_op, last_of_storage = last_uses(program)
    kept = {program.variables[name].storage for name in program.outputs.values()}
    releases = {storage: index for storage, index in last_of_storage.items() if storage not in kept}
    written = written_storages(program)
    return Schedule(_by_index(last_of_op), _by_index(releases), stationary_variables(program), written)


def _by_index(last: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for name, index in last.items():
        found.setdefault(index, []).append(name)
    return {index: tuple(names) for index, names in found.items()}


def execute_program(
    program: Program,
    values: Mapping[str, F32Array],
    threads: int | None = None,
    verify: bool = False,
    progress: Progress | None = None,
    after_op: AfterOp | None = None,
    rounding: Rounding = NEAREST,
) -> dict[str, F32Array]:
    """Run a program on values.

    Parameters
    ----------
    program : Program
    values : mapping of str to float32 array
        Every graph input, on the grid of its number format; any shape with the right number of elements.
    threads : int, optional
        By default one for each available core. Results do not depend on it.
    verify : bool
        Check that every vertex reads only what its tile holds, and every transfer sends only what its source holds.
    progress : callable, optional
        Called with the fraction done and the name of the superstep.
    after_op : callable, optional
        Called with the name of an op after its last superstep, and all values; those of its operands and results are
        still there.
    rounding : Rounding
        How results are rounded to narrow formats; by default to nearest.

    Returns
    -------
    dict of str to float32 array
        The graph outputs, in the shape ``[groups, rows, cols]`` of the variables that hold them.

    Raises
    ------
    ValueError
        A graph input is missing or has another number of elements.
    ResidencyError
        With `verify`: something is read, or sent, where it is not.
    VerifierError
        The program has vertices that nothing can execute.
    """
    schedule = schedule_program(program)
    held = Values(program, Initial(program).arrays(values, schedule.written), rounding)
    residency = Residency(program) if verify else None
    with Workers(threads or available_threads(), reports=progress is not None) as workers:
        run_supersteps(program, schedule, held, workers, residency, progress, after_op)
    if residency is not None:
        residency.finish()
    return {tensor: held.view(program.variables[name]) for tensor, name in program.outputs.items()}


def run_supersteps(
    program: Program,
    schedule: Schedule,
    held: Values,
    workers: Workers,
    residency: Residency | None = None,
    progress: Progress | None = None,
    after_op: AfterOp | None = None,
) -> None:
    """Run all supersteps of a program on values.

    Parameters
    ----------
    program : Program
    schedule : Schedule
        Of the program.
    held : Values
        With the graph's inputs; afterwards with its outputs.
    workers : Workers
    residency : Residency, optional
        Checks that vertices read only what their tile holds.
    progress, after_op : callable, optional
        As for :func:`execute_program`.
    """
    meter = _Meter(program, progress)
    for index, step in enumerate(program.steps):
        for superstep, iteration in _rounds(step):
            if residency is not None:
                residency.run(superstep, iteration)
            for vertices in superstep.compute:
                meter.start(superstep.name, vertices)
                for now in iterations(vertices) if iteration is None else (iteration,):
                    _run(program, superstep.name, schedule.stationary, vertices, now, held, workers, meter)
        if after_op is not None:
            for op in schedule.ops_at.get(index, ()):
                after_op(op, held)
        for storage in schedule.releases_at.get(index, ()):
            held.release(storage)


def available_threads() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def iterations(vertices: VertexSet) -> range:
    """Return the iterations of a vertex set outside of a loop, where it does all of them."""
    return range(max((operand.regions.count for operand in vertices.operands), default=1))


def _rounds(step: Superstep | Repeat) -> Iterator[tuple[Superstep, int | None]]:
    """Yield the supersteps that a step runs, with the iteration of the loop they stand in (None outside of one)."""
    if isinstance(step, Superstep):
        yield step, None
        return
    for iteration in range(step.count):
        for superstep in step.body:
            yield superstep, iteration


def _run(
    program: Program,
    superstep: str,
    stationary: frozenset[str],
    vertices: VertexSet,
    iteration: int,
    held: Values,
    workers: Workers,
    meter: _Meter,
) -> None:
    """Execute one iteration of a vertex set."""
    bound = []
    for operand in vertices.operands:
        variable = program.variables[operand.variable]
        values = held.view(variable)
        if operand.access != "in":
            held.packings.forget(values)
        regions = operand.regions.at(0 if operand.variable in stationary else iteration)
        place = (superstep, vertices.label, variable.name)
        bound.append(Bound(values, regions, operand.segments, variable.dtype, iteration, held.rounding, place))
    executor(vertices.codelet)(vertices, tuple(bound), held, workers, meter.tell)
    meter.advance()


class _Meter:
    """Turns the fraction done of one vertex set into the fraction done of the program."""

    def __init__(self, program: Program, progress: Progress | None) -> None:
        self._progress = progress
        self._total = 0.0
        for step in program.steps if progress is not None else ():
            repeats = step.count if isinstance(step, Repeat) else None
            for superstep in step.body if isinstance(step, Repeat) else (step,):
                self._total += sum(
                    _work(vertices) * (repeats or len(iterations(vertices))) for vertices in superstep.compute
                )
        self._done = self._current = 0.0
        self._label = ""

    def start(self, label: str, vertices: VertexSet) -> None:
        self._label, self._current = label, _work(vertices) if self._progress is not None else 0.0

    def tell(self, fraction: float) -> None:
        if self._progress is not None:
            self._progress(min(1.0, (self._done + fraction * self._current) / self._total), self._label)

    def advance(self) -> None:
        self._done += self._current


def _work(vertices: VertexSet) -> float:
    """Return a measure of the work of one iteration: multiply-adds, or elements times a constant."""
    boxes = [operand.regions.box for operand in vertices.operands]
    if "in_channels" not in vertices.settings or len(boxes) != 3:
        return 1.0 + 16.0 * sum(float(operand.regions.n_elements.sum()) for operand in vertices.operands)
    left, right, out = (volume(box).astype(float) for box in boxes)
    groups = (boxes[2][:, 1] - boxes[2][:, 0]).clip(1)
    return 1.0 + float(((left * right * out / groups) ** 0.5).sum())
