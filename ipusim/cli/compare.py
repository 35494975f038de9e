"""``ipusim compare``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ipusim.cli.exit_codes import INTERRUPTED
from ipusim.cli.files import missing_folders
from ipusim.cli.options import ChipOption, JsonOption, OutputOption, SetOption
from ipusim.cli.output import emit, layout, wants_json
from ipusim.cli.progress import progress_line
from ipusim.errors import BadInputError, Problem

if TYPE_CHECKING:
    from ipusim.comparison import Comparison


def _listed(name: str, text: str) -> Any:
    return Parameter(name=name, help=f"{text}; several with commas.")


def command(
    workload: str,
    /,
    *,
    density: Annotated[str | None, _listed("--density", "Fraction kept, such as 1/16 or 0.1")] = None,
    block_size: Annotated[str | None, _listed("--block-size", "Edge of the blocks")] = None,
    mode: Annotated[str | None, _listed("--mode", "static or dynamic, both by default")] = None,
    batch: Annotated[str | None, _listed("--batch", "Columns n of the dense operand, for the workload's own")] = None,
    dtype: Annotated[str | None, _listed("--dtype", "Number format of all tensors")] = None,
    features: Annotated[str | None, _listed("--features", "Rows and columns of every swept weight")] = None,
    weights: Annotated[str | None, _listed("--weights", "Names of the tensors to make sparse, * and ? allowed")] = None,
    chip: ChipOption = None,
    settings: SetOption = (),
    workers: int | None = None,
    execute: Annotated[bool, Parameter(negative="")] = False,
    as_json: JsonOption = False,
    csv: Path | None = None,
    html: Annotated[Path | None, Parameter(name="--html")] = None,
    plot: Annotated[tuple[Path, ...], Parameter(consume_multiple=False)] = (),
    output: OutputOption = None,
) -> int:
    """Dense against sparse: speed-up by density, block size and mode.

    The weights of the workload's matmuls are made sparse with each density, block
    size and mode, and compared with the dense workload: cycles, rates and memory
    of every cell, and the density at which sparse begins to win.
    By default, densities are 1/4, 1/8, 1/16, 1/32 and block sizes 1, 4, 8, 16.
    Ctrl-C keeps what is finished. The exit code is 1 when nothing fits the chip or
    a cell failed.

    Example: ipusim compare workloads/sparse/grid.yaml --batch 64,1024 --plot speed-up.svg

    Parameters
    ----------
    workload
        A workload file or the name of a packaged workload.
    workers
        Processes; as many as there are processor cores by default.
    execute
        Compute the values of every cell, too, and measure their errors (slow).
    csv
        Write a table with one row per cell to this file, too.
    html
        Write the report as a page to this file, too.
    plot
        Write heat maps and curves to this .svg or .png file, too; may be repeated.
    """
    _check_files(csv, html, plot, output)
    from ipusim.comparison import compare

    with progress_line() as progress:
        comparison = compare(
            workload,
            chip,
            densities=density,
            block_sizes=block_size,
            modes=mode,
            batches=batch,
            dtypes=dtype,
            features=features,
            weights=weights,
            settings=settings,
            workers=workers,
            execute=execute,
            progress=progress,
        )
    if html is not None:
        from ipusim.files.atomic import write_atomic

        write_atomic(html, comparison.to_html())
    _write(comparison, as_json, csv, plot, output)
    if comparison.interrupted:
        print("ipusim: interrupted; what was finished is shown", file=sys.stderr)
        return INTERRUPTED
    return _exit_code(comparison)


def _write(comparison: Comparison, as_json: bool, csv: Path | None, plots: Sequence[Path], output: Path | None) -> None:
    from ipusim.files.atomic import write_atomic

    document = comparison.to_dict()
    if csv is not None:
        from ipusim.report.compare_csv import comparison_csv

        write_atomic(csv, comparison_csv(document))
    for path in plots:
        from ipusim.report.compare_plot import plot_comparison

        write_atomic(path, plot_comparison(document, "png" if path.suffix == ".png" else "svg"))
    if wants_json(as_json, output):
        from ipusim.report.json import render_json

        emit(render_json(document), output)
    else:
        from ipusim.report.compare import render_comparison

        emit(render_comparison(document, *layout(output)), output)


def _exit_code(comparison: Comparison) -> int:
    statuses = [cell.outcome.status for cell in (*comparison.baselines, *comparison.cells)]
    return int("ok" not in statuses or "failed" in statuses)


def _check_files(csv: Path | None, html: Path | None, plots: Sequence[Path], output: Path | None) -> None:
    """Refuse files that could not be written when all the work is done."""
    problems = [
        Problem("--plot", 0, 0, "", f"{str(path)!r} ends neither in .svg nor in .png")
        for path in plots
        if path.suffix not in (".svg", ".png")
    ]
    problems += missing_folders(
        ("--csv", csv), ("--html", html), *(("--plot", path) for path in plots), ("--output", output)
    )
    if problems:
        raise BadInputError(problems)
