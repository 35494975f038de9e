"""``ipusim compile``."""

from __future__ import annotations

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
    the program is the list of supersteps; the memory is what stands on the tiles.

    Example: ipusim compile workloads/quickstart.yaml --print program

    Parameters
    ----------
    workload
        A workload file or the name of a packaged workload.
    """
    from ipusim.pipeline import compile_workload

    compiled = compile_workload(workload, chip=chip, settings=settings)
    emit(_render(compiled, stage, *layout(output)), output)
    return 0


def _render(compiled: Compiled, stage: Stage, width: int, colour: bool) -> str:
    if stage == "graph":
        from ipusim.report.graphs import render_graph

        return render_graph(compiled.graph)
    if stage == "plan":
        from ipusim.report.plans import render_plans

        plans = [(name, plan.to_dict()) for name, plan in compiled.plans.items()]
        return render_plans(plans, width, colour)
    from ipusim.lower.printer import print_program

    return print_program(compiled.program)
