"""``validate``: simulate what was measured, and tell how far off the model is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.comparison.pool import Work, perform_all
from ipusim.errors import BadInputError, IpusimError, Problem
from ipusim.pipeline.processes import default_workers
from ipusim.pipeline.run import versions
from ipusim.pipeline.simulation import Progress
from ipusim.validation.cases import Case, Figures, simulate_case
from ipusim.validation.constants import CONSTANTS, FittedConstant
from ipusim.validation.errors import Predicted, mean_error
from ipusim.validation.points import Model, Point, Source
from ipusim.validation.registry import sources
from ipusim.validation.result import ConstantErrors, SourceErrors, Validation

MEASURED_CHIP = "bow"
"""The chip of all packaged measurements of whole products."""


def validate(
    only: Sequence[str] = (),
    *,
    settings: Sequence[str] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Run the model against the packaged published measurements.

    Parameters
    ----------
    only : sequence of str
        Names of sources; by default all of them.
    settings : sequence of str
        Overrides ``field=value`` of the chip: what would another value of a constant do to the error?
    workers : int, optional
        Processes; by default as many as there are processor cores. The result does not depend on it.
    progress : callable, optional
        Called with a short text for every product that is simulated.

    Returns
    -------
    Validation

    Raises
    ------
    BadInputError
        For an unknown source or a wrong override.
    IpusimError
        When a process dies.
    """
    chosen = _chosen(only)
    chip = load_chip(MEASURED_CHIP, [setting.removeprefix("chip.") for setting in settings])
    points = {source: source.points() for source in chosen}
    cases = methods_first(dict.fromkeys(case for each in points.values() for point in each for case in point.cases))
    model = Model(chip, simulate_cases(cases, chip, workers or default_workers(), progress))
    constants = [constant for constant in CONSTANTS if constant.source in {source.name for source in chosen}]
    return Validation(
        chip=chip.name,
        settings=tuple(settings),
        versions=versions(),
        sources=tuple(SourceErrors(source, _predict(each, model)) for source, each in points.items()),
        constants=tuple(
            held_out(constant, next(points[source] for source in chosen if source.name == constant.source), model)
            for constant in constants
        ),
    )


def simulate_cases(
    cases: Sequence[Case], chip: Chip, workers: int, progress: Progress | None = None
) -> Mapping[Case, Figures]:
    """Return the figures of all cases, simulated in several processes.

    Raises
    ------
    IpusimError
        When a process dies.
    KeyboardInterrupt
        When the user interrupts.
    """
    n_done = 0

    def done(index: int) -> None:
        nonlocal n_done
        n_done += 1
        if progress:
            case = cases[index]
            progress(f"{n_done} of {len(cases)}: {case.method} {case.dtype} m {case.m} n {case.n}")

    work = Work(cases, lambda case: case.pattern_key, partial(simulate_case, chip=chip), _lost, done)
    results, interrupted = perform_all(work, workers)
    if interrupted:
        raise KeyboardInterrupt
    return {case: found for case, found in zip(cases, results, strict=True) if found is not None}


def methods_first(cases: Iterable[Case]) -> list[Case]:
    """Return the cases with one of each method at the head.

    Processes that start on different methods do not compile the same planner, each for itself.
    """
    found = list(cases)
    heads: dict[str, Case] = {}
    for case in found:
        heads.setdefault(case.method, case)
    return list(dict.fromkeys([*heads.values(), *found]))


def held_out(constant: FittedConstant, points: Sequence[Point], model: Model) -> ConstantErrors:
    """Return how well a fitted constant carries over to series that the fit has not seen.

    Parameters
    ----------
    constant : FittedConstant
    points : sequence of Point
        Those it was fitted to and those that it does not change, which are left out.
    model : Model
        With the packaged constants.
    """
    changed = [point for point in points if any(constant.name in model.figures[case].at for case in point.cases)]
    tables = [
        {
            point: predicted.ratio
            for point, predicted in zip(changed, _predict(changed, _with(model, constant, place)), strict=True)
            if predicted.ratio is not None
        }
        for place in range(len(constant.grid))
    ]

    def error(place: int, among: Sequence[Point]) -> float:
        return mean_error([tables[place][point] for point in among if point in tables[place]])

    def best(among: Sequence[Point]) -> int:
        return min(range(len(constant.grid)), key=lambda place: error(place, among))

    unseen = []
    series = list(dict.fromkeys(point.series for point in changed))
    for name in series:
        place = best([point for point in changed if point.series != name])
        unseen += [tables[place][point] for point in changed if point.series == name and point in tables[place]]
    place = best(changed)
    return ConstantErrors(
        constant,
        constant.value_of(model.chip),
        constant.grid[place],
        len(changed),
        len(series),
        error(place, changed),
        mean_error(unseen),
    )


def _with(model: Model, constant: FittedConstant, place: int) -> Model:
    return Model(model.chip, model.figures, constant, place)


def _predict(points: Sequence[Point], model: Model) -> tuple[Predicted, ...]:
    return tuple(Predicted(point.label, point.series, point.measured, point.predict(model)) for point in points)


def _lost(case: Case, exit_code: int) -> Figures:
    raise IpusimError(f"the process that simulated {case} ended with code {exit_code}, perhaps for want of memory")


def _chosen(only: Sequence[str]) -> tuple[Source, ...]:
    from ipusim.files.wording import did_you_mean

    known = {source.name: source for source in sources()}
    problems = [
        Problem("--only", 0, 0, "", f"there is no source {name!r}", did_you_mean(name, known) or ", ".join(known))
        for name in only
        if name not in known
    ]
    if problems:
        raise BadInputError(problems)
    return tuple(known[name] for name in only) if only else tuple(known.values())
