"""``ipusim run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ipusim.cli.files import missing_folders
from ipusim.cli.options import ChipOption, JsonOption, OutputOption, SetOption, ThreadsOption
from ipusim.cli.output import emit, layout, wants_json
from ipusim.cli.progress import progress_line
from ipusim.cli.tracing import check_trace, write_run_trace
from ipusim.errors import BadInputError, Problem


def command(
    workload: str,
    /,
    *,
    chip: ChipOption = None,
    settings: SetOption = (),
    no_execute: bool = False,
    verify: bool = False,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    profile: bool = False,
    html: Annotated[Path | None, Parameter(name="--html")] = None,
    trace: Annotated[Path | None, Parameter(name="--trace")] = None,
    trace_tiles: Annotated[str | None, Parameter(name="--trace-tiles")] = None,
    ops: Annotated[Literal["costliest", "all"], Parameter(name="--ops")] = "costliest",
    output: OutputOption = None,
) -> int:
    """Compile, time, execute and check one workload.

    Shows what ran on what, cycles, rate, where the cycles and the memory went, and the numerical check.
    The exit code is 1 when the workload does not fit the chip or the check fails.

    Example: ipusim run workloads/quickstart.yaml --chip gc200 --set n_tiles=64 --no-execute

    Parameters
    ----------
    workload
        A workload file or the name of a packaged workload.
    no_execute
        Only count cycles and bytes; compute no values.
    verify
        Check while executing that every vertex reads only what its tile holds.
    profile
        Keep what reports show of supersteps and tiles in the JSON document, too.
    html
        Write the report as a page to this file, too.
    trace
        Write a Chrome trace to this .json or .json.gz file, too: open it in ui.perfetto.dev or chrome://tracing.
    trace_tiles
        Tiles with a track of their own in the trace, such as 0,8-15.
    ops
        Show the layers of a network, or else the costliest operators; or all operators one by one.
    """
    _check(no_execute, verify, threads)
    tiles = check_trace(trace, trace_tiles)
    problems = missing_folders(("--html", html), ("--output", output))
    if problems:
        raise BadInputError(problems)
    from ipusim.files.atomic import write_atomic
    from ipusim.pipeline import simulate

    with progress_line() as progress:
        run = simulate(
            workload,
            chip=chip,
            execute=not no_execute,
            settings=settings,
            verify=verify,
            threads=threads,
            progress=progress,
        )
    if trace is not None:
        write_run_trace(run, trace, tiles)
    if html is not None:
        write_atomic(html, run.to_html())
    as_document = wants_json(as_json, output)
    result = run.to_dict(profile=profile)
    if as_document:
        from ipusim.report.json import render_json

        emit(render_json(result), output)
    else:
        from ipusim.report.terminal import render_run

        emit(render_run({"profile": run.outline, **result}, *layout(output), every_op=ops == "all"), output)
    check = result["check"]
    return int(bool(result["infeasible"]) or (check["executed"] and not check["passed"]))


def _check(no_execute: bool, verify: bool, threads: int | None) -> None:
    problems = []
    if no_execute and verify:
        problems.append(Problem("--verify", 0, 0, "", "needs the execution that --no-execute leaves out"))
    if threads is not None and threads < 1:
        problems.append(Problem("--threads", 0, 0, "", f"must be at least 1, not {threads}"))
    if problems:
        raise BadInputError(problems)
