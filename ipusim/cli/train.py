"""``ipusim train``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ipusim.cli.exit_codes import INTERRUPTED
from ipusim.cli.files import missing_folders
from ipusim.cli.options import ChipOption, JsonOption, OutputOption, SetOption
from ipusim.cli.output import emit, layout, wants_json
from ipusim.errors import BadInputError, Problem


def command(
    workload: str,
    /,
    *,
    chip: ChipOption = None,
    settings: SetOption = (),
    method: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    compare: str = "",
    seeds: int = 1,
    no_execute: bool = False,
    threads: int = 1,
    log: Path | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    html: Annotated[Path | None, Parameter(name="--html")] = None,
    as_json: JsonOption = False,
    output: OutputOption = None,
) -> int:
    """Train a network, dense or sparse: accuracy against cost.

    Every step is executed by the program that the chip would run. The workload says
    under `training` what is learnt and how.

    Example: ipusim train workloads/training/digits-mlp.yaml --method rigl --set n_tiles=16

    Parameters
    ----------
    method
        dense, static, prune, set or rigl, instead of the workload's.
    steps
        Number of steps, instead of the workload's.
    seed
        Of data, weights and connections, instead of the workload's.
    compare
        Methods with commas: train by each of them, and show them in one table.
    seeds
        With --compare: train each method from this many seeds.
    no_execute
        Only count cycles and bytes of the programs; train nothing.
    threads
        Of the execution; results do not depend on it.
    log
        Write JSON lines to this file, one for each interval.
    checkpoint
        Keep the state after the last interval in this .npz file; with --compare:
        those of all trainings in this folder.
    resume
        Go on from the checkpoint, if it exists.
    html
        Write the report as a page to this file, too.
    """
    chosen = [name.strip() for name in compare.split(",") if name.strip()]
    _check(method, chosen, {"--steps": steps, "--seeds": seeds, "--threads": threads}, seed)
    _check_files(chosen, no_execute, log, checkpoint, resume, html, output)
    if chosen:
        from ipusim.training.comparing import compare_methods

        document = compare_methods(
            *(workload, chosen, seeds, chip, settings, steps, seed, threads, _tell),  # type: ignore[arg-type]
            folder=checkpoint,
            resume=resume,
        )
        return _show_comparison(document, checkpoint, as_json, html, output)
    from ipusim.training.train import train

    try:
        document = train(
            *(workload, chip, settings, method, steps, seed),  # type: ignore[arg-type]
            execute=not no_execute,
            log=log,
            checkpoint=checkpoint,
            resume=resume,
            threads=threads,
            progress=_tell,
        )
    except KeyboardInterrupt:
        _tell(f"ipusim: interrupted; {_way_on(checkpoint)}")
        return INTERRUPTED
    from ipusim.report.training import render_training

    _show(document, render_training, as_json, html, output)
    return 0


def _show_comparison(
    document: dict[str, Any], folder: Path | None, as_json: bool, html: Path | None, output: Path | None
) -> int:
    """Show what several methods have reached, and say what is missing; return the exit code."""
    from ipusim.report.training import render_methods

    _show(document, render_methods, as_json, html, output)
    if wants_json(as_json, output):
        for reason in document["infeasible"].values():
            _tell(reason)
    if document["interrupted"]:
        shown = "what was finished is shown; " if document["runs"] else ""
        _tell(f"ipusim: interrupted; {shown}{_way_on(folder)}")
        return INTERRUPTED
    return int(bool(document["infeasible"]))


def _show(
    document: dict[str, Any],
    render: Callable[[dict[str, Any], int, bool], str],
    as_json: bool,
    html: Path | None,
    output: Path | None,
) -> None:
    if html is not None:
        from ipusim.files.atomic import write_atomic
        from ipusim.report.html.train import render_training_page

        write_atomic(html, render_training_page(document))
    if wants_json(as_json, output):
        from ipusim.report.json import render_json

        emit(render_json(document), output)
    else:
        emit(render(document, *layout(output)), output)


def _way_on(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "to be able to go on from there, train with --checkpoint"
    if not checkpoint.exists():
        return f"before the first checkpoint, so that there is nothing in {checkpoint} yet"
    return f"the same command with --resume goes on from {checkpoint}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check(method: str | None, methods: list[str], counts: dict[str, int | None], seed: int | None) -> None:
    from ipusim.files.wording import did_you_mean, join_words
    from ipusim.frontends.training_entry import METHODS

    named = [("--compare", name) for name in methods] + ([("--method", method)] if method is not None else [])
    known = f"there are {join_words(METHODS, 'and')}"
    problems = [
        Problem(option, 0, 0, "", f"unknown method {name!r}", did_you_mean(name, METHODS) or known)
        for option, name in named
        if name not in METHODS
    ]
    low = [(option, count, 1) for option, count in counts.items()] + [("--seed", seed, 0)]
    problems += [
        Problem(option, 0, 0, "", f"must be at least {least}, not {count}")
        for option, count, least in low
        if count is not None and count < least
    ]
    if method is not None and methods:
        problems.append(Problem("--method", 0, 0, "", "does not go with --compare"))
    if problems:
        raise BadInputError(problems)


def _check_files(
    methods: list[str],
    no_execute: bool,
    log: Path | None,
    checkpoint: Path | None,
    resume: bool,
    html: Path | None,
    output: Path | None,
) -> None:
    problems = missing_folders(("--log", log), ("--checkpoint", checkpoint), ("--html", html), ("--output", output))
    given = {"--log": log is not None, "--no-execute": no_execute}
    if methods:
        problems += [
            Problem(name, 0, 0, "", "does not go with --compare") for name, is_given in given.items() if is_given
        ]
    if resume and checkpoint is None:
        problems.append(Problem("--resume", 0, 0, "", "needs --checkpoint"))
    if problems:
        raise BadInputError(problems)
