"""``compare``: from a workload and what to sweep to a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from ipusim.chip.model import Chip
from ipusim.comparison.base import Base, load_base, point_workload
from ipusim.comparison.cell import Cell
from ipusim.comparison.options import Listed, parse_options
from ipusim.comparison.outcome import FAILED, NOT_RUN, Outcome, Result, outcome_of
from ipusim.comparison.points import DENSE, Condition, Point
from ipusim.comparison.pool import Work, perform_all
from ipusim.comparison.result import Comparison
from ipusim.comparison.space import Space, build_space
from ipusim.errors import BadInputError, Problem
from ipusim.frontends.model import Workload
from ipusim.pipeline.compiling import ChipLike, WorkloadLike, load_inputs
from ipusim.pipeline.errors import OutputErrors, output_errors
from ipusim.pipeline.limits import limits
from ipusim.pipeline.processes import default_workers
from ipusim.pipeline.run import versions
from ipusim.pipeline.simulation import Progress, simulate

T = TypeVar("T")
Simulate = Callable[[Workload, Chip], Result]


def compare(
    workload: WorkloadLike,
    chip: ChipLike | None = None,
    *,
    densities: Listed = None,
    block_sizes: Listed = None,
    modes: Listed = None,
    batches: Listed = None,
    dtypes: Listed = None,
    features: Listed = None,
    weights: Listed = None,
    settings: Sequence[str] = (),
    workers: int | None = None,
    execute: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Compare dense with sparse weights over densities, block sizes, modes and more.

    Every list may also be a text with commas, such as ``"1/4,1/8"``.

    Parameters
    ----------
    workload : str, Path, Mapping or Workload
        Any workload with matmuls.
    chip : str, Path, Mapping or Chip, optional
        By default the chip that the workload names.
    densities : sequence of float or str, optional
        Fractions of the weights that are kept; 1/4, 1/8, 1/16 and 1/32 by default, or that of the weights' patterns
        where these bring their own.
    block_sizes : sequence of int, optional
        Edges of the blocks; by default those of 1, 4, 8 and 16 that divide the weights.
    modes : sequence of str, optional
        ``static`` and ``dynamic``, both by default.
    batches : sequence of int, optional
        Free dimensions of the products, ``n`` in ``Y[m, n] = W[m, k] X[k, n]``; by default that of the workload.
    dtypes : sequence of str, optional
        Number formats for the whole workload; by default its own.
    features : sequence of int, optional
        Rows and columns of every swept weight; by default those of the workload.
    weights : sequence of str, optional
        Names, or patterns of names, of the tensors to make sparse; by default all the weights of matmuls.
    settings : sequence of str
        Overrides ``key.path=value`` of chip or workload fields.
    workers : int, optional
        Processes; by default as many as there are processor cores. The result does not depend on it.
    execute : bool
        Compute the values of every point, too, and measure the errors of its outputs against float64.
    progress : callable, optional
        Called with a short text for every cell that is finished.

    Returns
    -------
    Comparison
        If it is interrupted (Ctrl-C), with the cells that were finished.

    Raises
    ------
    BadInputError
        With every problem of the files and the options.
    """
    problems: list[Problem] = []
    listed = (densities, block_sizes, modes, batches, dtypes, features, weights)
    options = _try(lambda: parse_options(*listed, workers=workers), problems)
    inputs = _try(lambda: load_inputs(workload, chip, settings), problems)
    if options is None or inputs is None:
        raise BadInputError(problems)
    base = load_base(inputs[0], options.weights)
    space = build_space(base, options)
    sweep = Sweep(base, inputs[1], space)
    if execute:
        sweep = replace(sweep, execute=True)
    return evaluate(sweep, workers or default_workers(), progress, list(settings))


@dataclass(frozen=True)
class Sweep:
    """Everything that a process needs to simulate any point.

    Attributes
    ----------
    base : Base
    chip : Chip
    space : Space
    simulate : callable
        Makes the result of a workload on a chip, as it is, without levers of the compiler; replaced in tests.
    """

    base: Base
    chip: Chip
    space: Space
    simulate: Simulate = field(default=partial(simulate, explain=False, levers=False))
    execute: bool = False

    def outcome(self, point: Point) -> Outcome:
        """Return the figures of a point, or why it has none."""
        dense = self.space.workloads[point.condition]
        workload = point_workload(self.base, dense, point, self.space.own_density)
        if self.execute:
            run = partial(self.simulate, execute=True, threads=1)  # type: ignore[call-arg]
            return outcome_of(lambda: run(workload, self.chip), _errors)
        return outcome_of(lambda: self.simulate(workload, self.chip))


def _errors(run: Any) -> OutputErrors:
    return output_errors(run.compiled.graph, run.outputs)


def evaluate(
    sweep: Sweep, n_workers: int, progress: Progress | None = None, settings: Sequence[str] = ()
) -> Comparison:
    """Simulate every point of a sweep and return the comparison."""
    points = sweep.space.points
    n_done = 0

    def done(index: int) -> None:
        nonlocal n_done
        n_done += 1
        if progress:
            progress(f"{n_done} of {len(points)}: {points[index].text}")

    if progress:
        progress(f"0 of {len(points)}")
    work = Work(points, lambda point: point.pattern_key, sweep.outcome, _lost, done)
    results, interrupted = perform_all(work, n_workers)
    if interrupted and not any(results):
        raise KeyboardInterrupt
    outcomes = {
        point: outcome or Outcome(NOT_RUN, "interrupted before") for point, outcome in zip(points, results, strict=True)
    }
    cells = [
        Cell(point, outcome, outcomes[Point(point.condition)], outcomes.get(Point(_in_half(point.condition))))
        for point, outcome in outcomes.items()
    ]
    base = sweep.base
    return Comparison(
        workload=base.workload.name,
        chip=sweep.chip.name,
        options=_options_document(sweep.space, settings),
        seed=base.workload.seed,
        versions=versions(),
        weights={name: base.graph.tensors[name].shape for name in base.weights},
        baselines=tuple(cell for cell in cells if cell.point.mode == DENSE),
        cells=tuple(cell for cell in cells if cell.point.mode != DENSE),
        notes=sweep.space.notes,
        interrupted=interrupted,
        limits=limits(sweep.chip),
    )


def _in_half(condition: Condition) -> Condition:
    return Condition(condition.features, condition.batch, "float16")


def _try(action: Callable[[], T], problems: list[Problem]) -> T | None:
    try:
        return action()
    except BadInputError as error:
        problems.extend(error.problems)
        return None


def _lost(_point: Point, exit_code: int) -> Outcome:
    how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with code {exit_code}"
    return Outcome(FAILED, f"its process {how}, perhaps for want of memory")


def _options_document(space: Space, settings: Sequence[str]) -> dict[str, Any]:
    sparse = [point for point in space.points if point.mode != DENSE]

    def values(name: str, of: Sequence[object]) -> list[Any]:
        return list(dict.fromkeys(getattr(each, name) for each in of))

    return {
        "densities": values("density", sparse),
        "block_sizes": values("block_size", sparse),
        "modes": values("mode", sparse),
        "batches": values("batch", list(space.workloads)),
        "dtypes": values("dtype", list(space.workloads)),
        "features": values("features", list(space.workloads)),
        "settings": list(settings),
    }
