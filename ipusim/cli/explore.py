"""``ipusim explore``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ipusim.cli.exit_codes import INTERRUPTED
from ipusim.cli.options import JsonOption, OutputOption
from ipusim.cli.output import emit, layout, wants_json
from ipusim.cli.progress import progress_line
from ipusim.errors import BadInputError, Problem

if TYPE_CHECKING:
    from ipusim.exploration import Exploration

_FILES = Parameter(consume_multiple=False)


def command(
    space: str,
    /,
    *,
    store: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    sampler: str | None = None,
    budget: int | None = None,
    seed: int | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = (),
    status: bool = False,
    saved: bool = False,
    top: int | None = None,
    pareto: bool = False,
    as_json: JsonOption = False,
    csv: Path | None = None,
    export: Annotated[tuple[Path, ...], _FILES] = (),
    plot: Annotated[tuple[Path, ...], _FILES] = (),
    html: Path | None = None,
    output: OutputOption = None,
) -> int:
    """A space of chips: Pareto front, what matters, resumable.

    Simulates every point that the sampler of the space chooses, and shows which
    are worth a choice, which parameters matter, and why the others do not run.
    Finished points are kept in an SQLite file: the same command goes on where
    Ctrl-C or a crash ended it, and never simulates anything twice.
    The exit code is 1 when no point runs and is allowed, or a point failed.

    Example: ipusim explore tile-count --workers 2 --plot front.svg

    Parameters
    ----------
    space
        A space file or the name of a packaged space.
    store
        The file of the results; NAME.sqlite in the working directory by default.
    workers
        Processes; as many as there are processor cores by default.
    scheduler
        Address of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers
        are used instead of processes of this machine.
    sampler
        grid, random, sobol, nsga2 or tpe, instead of the one in the file.
    budget
        Points to evaluate, instead of the number in the file.
    seed
        Seed of the sampler, instead of the one in the file.
    settings
        KEY.PATH=VALUE: override a field of the space file; may be repeated.
    status
        Only show how far it is.
    saved
        Show the answers from what is finished; simulate nothing.
    top
        Show so many of the best points by the first objective.
    pareto
        Show the whole Pareto front.
    csv
        Write one row per finished point to this file, too.
    export
        The same to a .csv, .json or .parquet file; may be repeated.
    html
        Write the report as a page to this file, too.
    plot
        Write the Pareto front to this .svg or .png file, too; may be repeated.
    """
    _check(top, csv, export, plot, html, output)
    from ipusim.exploration.exploring import explore
    from ipusim.exploration.exploring import saved as load_saved

    changes = {"sampler": sampler, "budget": budget, "seed": seed}
    if status or saved:
        exploration = load_saved(space, store, settings, **changes)
    else:
        with progress_line() as progress:
            exploration = explore(
                space,
                store=store,
                workers=workers,
                scheduler=scheduler,
                settings=settings,
                progress=progress,
                sampler=sampler,
                budget=budget,
                seed=seed,
            )
    if status:
        _show_status(exploration, as_json, output)
        return 0
    _write_files(exploration, csv, export, plot)
    if html is not None:
        from ipusim.files.atomic import write_atomic

        write_atomic(html, exploration.to_html())
    _show(exploration, as_json, top, pareto, output)
    if exploration.interrupted:
        print("ipusim: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    known = exploration.survey
    return int(not known.positions or known.counts["failed"] > 0)


def _write_files(exploration: Exploration, csv: Path | None, export: Sequence[Path], plots: Sequence[Path]) -> None:
    from ipusim.exploration.table import write_table

    for path in (*((csv,) if csv is not None else ()), *export):
        write_table(path, exploration.rows())
    for path in plots:
        from ipusim.files.atomic import write_atomic
        from ipusim.report.explore_plot import plot_exploration

        write_atomic(path, plot_exploration(exploration.to_dict(), "png" if path.suffix == ".png" else "svg"))


def _show(exploration: Exploration, as_json: bool, top: int | None, pareto: bool, output: Path | None) -> None:
    document = exploration.to_dict()
    if top is not None:
        document["top"] = exploration.top(top)
    if wants_json(as_json, output):
        from ipusim.report.json import render_json

        emit(render_json(document), output)
    else:
        from ipusim.report.explore import render_exploration

        emit(render_exploration(document, *layout(output), whole_front=pareto), output)


def _show_status(exploration: Exploration, as_json: bool, output: Path | None) -> None:
    status = exploration.status()
    if wants_json(as_json, output):
        from ipusim.report.json import render_json

        emit(render_json(status), output)
    else:
        from ipusim.report.explore import render_status

        emit(render_status(status), output)


def _check(
    top: int | None,
    csv: Path | None,
    export: Sequence[Path],
    plots: Sequence[Path],
    html: Path | None,
    output: Path | None,
) -> None:
    """Refuse files that could not be written when all the work is done."""
    problems = []
    if top is not None and top < 1:
        problems.append(Problem("--top", 0, 0, "", f"must be at least 1, not {top}"))
    for option, paths, endings in (
        ("--csv", () if csv is None else (csv,), (".csv",)),
        ("--export", export, (".csv", ".json", ".parquet")),
        ("--plot", plots, (".svg", ".png")),
    ):
        for path in paths:
            if path.suffix not in endings:
                message = f"{str(path)!r} does not end in {' or '.join(endings)}"
                problems.append(Problem(option, 0, 0, "", message))
    named: list[tuple[str, Path | None]] = [("--csv", csv), ("--html", html), ("--output", output)]
    named += [("--export", path) for path in export] + [("--plot", path) for path in plots]
    for option, each in named:
        if each is not None and not each.parent.is_dir():
            problems.append(Problem(option, 0, 0, "", f"there is no folder {str(each.parent)!r}"))
    if problems:
        raise BadInputError(problems)
