"""Simulate a workload: compile it, time it, execute it, check it, and say what holds it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import ChipLike, WorkloadLike, compile_workload
from ipusim.pipeline.infeasible import explain_infeasible
from ipusim.pipeline.insight import insights
from ipusim.pipeline.run import Run

Progress = Callable[[str], None]

NOT_EXECUTED: dict[str, Any] = {
    "executed": False,
    "passed": None,
    "max_abs_error": None,
    "max_rel_error": None,
    "tolerance": None,
    "checked_fraction": None,
}


def simulate(
    workload: WorkloadLike,
    chip: ChipLike | None = None,
    execute: bool = False,
    settings: Sequence[str] = (),
    verify: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    explain: bool = True,
    levers: bool = True,
) -> Run:
    """Simulate a workload on a chip.

    Parameters
    ----------
    workload : str, Path, Mapping or Workload
    chip : str, Path, Mapping or Chip, optional
        By default the chip that the workload names.
    execute : bool
        Compute the values, too, and check them against a float64 reference.
    settings : sequence of str
        Overrides ``key.path=value`` of chip or workload fields.
    verify : bool
        Check while executing that every vertex reads only what its tile holds (slow).
    threads : int, optional
        Threads of the execution; by default all cores. Results do not depend on it.
    progress : callable, optional
        Called with a short text now and then.
    explain : bool
        Relax one resource at a time to find what holds the workload back, or what would make it fit.
    levers : bool
        Take the levers that the workload allows (``compile.levers``) where it does not fit as it is.

    Returns
    -------
    Run

    Raises
    ------
    BadInputError
        With every problem of the files and the overrides.
    """
    say = progress or (lambda _text: None)
    say("compiling")
    compiled = compile_workload(workload, chip, settings, levers)
    options = {"execute": execute, "verify": verify, "settings": list(settings)}
    infeasible = explain_infeasible(compiled, with_levers=explain)
    if infeasible is not None or compiled.program is None:
        return Run(compiled, options, None, dict(NOT_EXECUTED), infeasible, (), {})
    say("timing")
    trace = time_program(compiled.program, compiled.chip)
    check: dict[str, Any] = dict(NOT_EXECUTED)
    outputs: dict[str, Any] = {}
    if execute:
        from ipusim.pipeline.executing import execute as execute_compiled

        check, outputs = execute_compiled(compiled, verify, threads, say)
    if explain:
        say("relaxing one resource at a time")
    found = insights(compiled, trace.cycles) if explain else ()
    return Run(compiled, options, trace, check, None, found, outputs)
