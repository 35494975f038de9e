"""``ipusim compile``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ipusim.cli.options import ChipOption, OutputOption, SetOption
from ipusim.cli.output import emit, layout

if TYPE_CHECKING:
    from ipusim.pipeline import Compiled

Stage = Literal["graph", "plan", "program", "memory"]


def command(
    workload: str,
    /,
    *,
    stage: Annotated[Stage, Parameter(name="--print", help="What to show.")] = "plan",
    chip: ChipOption = None,
    settings: SetOption = (),
    output: OutputOption = None,
) -> int:
    """Show what the compiler decided: graph, plan, program or memory.

    The graph is what the workload asks for; the plan is how each operator is split over the tiles, with the runners-up;
    the program is the list of supersteps; the memory is what lies on the tiles.
    The exit code is 1 when the workload does not fit the chip.

    Example: ipusim compile workloads/quickstart.yaml --print program

    Parameters
    ----------
    workload
        A workload file or the name of a packaged workload.
    """
    from ipusim.pipeline import compile_workload

    compiled = compile_workload(workload, chip=chip, settings=settings)
    text = _render(compiled, stage, *layout(output))
    if text is not None:
        emit(text, output)
    if not compiled.fits:
        print(f"ipusim: does not fit {compiled.chip.name}: `ipusim run` says what would help", file=sys.stderr)
    return int(not compiled.fits)


def _render(compiled: Compiled, stage: Stage, width: int, colour: bool) -> str | None:
    if stage == "graph":
        from ipusim.report.graphs import render_graph

        return render_graph(compiled.graph)
    if stage == "plan":
        from ipusim.report.plans import render_plans

        plans = render_plans(((name, plan.to_dict()) for name, plan in compiled.plans.items()), width, colour)
        return plans + _layout(compiled, width, colour)
    if compiled.program is None or compiled.memory is None:
        return None
    if stage == "program":
        from ipusim.lower.printer import print_program

        return f"{print_program(compiled.program).rstrip()}\n"
    from ipusim.report.memory import render_memory

    return render_memory(compiled.memory, width, colour)


def _layout(compiled: Compiled, width: int, colour: bool) -> str:
    """Return what operators decided together; nothing where that was not asked for, or there is nothing to decide."""
    if compiled.program is None or compiled.layout.greedy_cycles is None:
        return ""
    from ipusim.layout.summary import summarise
    from ipusim.pipeline.compiling import compile_graph
    from ipusim.report.layouts import render_layout

    alone = compile_graph(compiled.workload, compiled.chip, compiled.graph, layout="greedy").program
    assert alone is not None
    summary = summarise(compiled.layout, compiled.program, alone, compiled.chip)
    return f"\n{render_layout(summary, width, colour)}"
