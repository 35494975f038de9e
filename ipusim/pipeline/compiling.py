"""Load, build, plan, lower: everything that happens before a program is timed or executed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ipusim.chip.fields import constant_fields
from ipusim.chip.load import load_chip
from ipusim.chip.model import Chip
from ipusim.engine.in_place import in_place
from ipusim.engine.memory import MemoryMap
from ipusim.engine.prefetching import with_room
from ipusim.errors import BadInputError, Problem
from ipusim.files.wording import did_you_mean
from ipusim.formats import number_format
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import Workload, load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.layout.choose import lay_out
from ipusim.lower.outlining import outline
from ipusim.pipeline.choice import Choice, Lever
from ipusim.pipeline.formats import format_problems
from ipusim.pipeline.recomputing import recompute, repeated_tensors
from ipusim.pipeline.remembering import fitting_key, read_levers, write_levers
from ipusim.plan.graph import Plan, Plans, Unplannable, plan_graph
from ipusim.plan.layout import GREEDY, Layout
from ipusim.plan.problem import PlanOptions

WorkloadLike = str | Path | Mapping[str, Any] | Workload
ChipLike = str | Path | Mapping[str, Any] | Chip

NO_CHOICE = Choice()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A workload on a chip, compiled.

    Attributes
    ----------
    workload : Workload
    chip : Chip
    graph : Graph
    all_plans : mapping of op name to plan
        What the planner found for each matmul, or why it found nothing.
    program : Program or None
        None where some op has no plan.
    memory : MemoryMap or None
        Of the program.
    choice : Choice
        What was decided so that it fits.
    levers_taken : tuple of Lever
        The same as levers, in the order in which they were taken.
    layout : Layout
        What ops have decided together.
    lowered : Program or None
        The program as the lowering left it, which outlining and results in place start from.
    """

    workload: Workload
    chip: Chip
    graph: Graph
    all_plans: Plans
    program: Program | None
    memory: MemoryMap | None
    choice: Choice = NO_CHOICE
    levers_taken: tuple[Lever, ...] = ()
    layout: Layout = GREEDY
    lowered: Program | None = None

    @property
    def plans(self) -> dict[str, Plan]:
        """The plans that were found, by op."""
        return {name: plan for name, plan in self.all_plans.items() if not isinstance(plan, Unplannable)}

    @property
    def unplanned(self) -> tuple[Unplannable, ...]:
        """The ops without a plan."""
        return tuple(plan for plan in self.all_plans.values() if isinstance(plan, Unplannable))

    @property
    def repeated(self) -> tuple[str, ...]:
        """Ops that compute again what another op has computed."""
        copies = repeated_tensors(self.choice.recomputed)
        return tuple(op.name for op in self.graph.ops if op.outputs[0] in copies)

    @property
    def dram_bytes(self) -> int:
        """Bytes of the tensors that lie in DRAM."""
        tensors = [self.graph.tensors[name] for name in self.graph.dram_tensors]
        return sum(tensor.n_elements * number_format(tensor.dtype).bytes for tensor in tensors)

    @property
    def fits_dram(self) -> bool:
        """Whether the chip has a DRAM for what lies there, and room in it."""
        rate = self.chip.dram_bytes_per_s if self.dram_bytes else 1
        return rate > 0 and self.dram_bytes <= self.chip.dram_bytes

    @property
    def fits(self) -> bool:
        """Whether there is a program and every tile, and the DRAM, has room for it."""
        return self.memory is not None and self.memory.fits and self.fits_dram


def compile_workload(
    workload: WorkloadLike,
    chip: ChipLike | None = None,
    settings: Sequence[str] = (),
    levers: bool = True,
    **chip_fields: object,
) -> Compiled:
    """Compile a workload for a chip.

    Parameters
    ----------
    workload : str, Path, Mapping or Workload
        Packaged name, file, its content, or a loaded workload.
    chip : str, Path, Mapping or Chip, optional
        By default the chip that the workload names.
    settings : sequence of str
        Overrides ``key.path=value`` of chip or workload fields.
    levers : bool
        Take the levers that the workload allows where it does not fit as it is.
    **chip_fields
        Overrides of chip fields.

    Raises
    ------
    BadInputError
        With every problem of the files and the overrides.
    """
    loaded, target = load_inputs(workload, chip, settings, **chip_fields)
    graph = build_graph(loaded)
    problems = format_problems(loaded, target, graph)
    if problems:
        raise BadInputError(problems)
    return compile_to_fit(loaded, target, graph) if levers else compile_graph(loaded, target, graph)


def compile_to_fit(workload: Workload, chip: Chip, graph: Graph) -> Compiled:
    """Compile a graph and, where it does not fit, take the levers that the workload allows."""
    kinds = workload.compile.levers
    key = fitting_key(graph, chip, workload.compile) if kinds else None
    known = read_levers(key, graph)
    if known is not None:
        choice, levers = known
        return replace(compile_graph(workload, chip, graph, choice=choice), levers_taken=levers)
    compiled = compile_graph(workload, chip, graph)
    if compiled.fits or not compiled.fits_dram or not kinds or _cannot_fit(compiled):
        return compiled
    from ipusim.pipeline.fitting import fit

    fitting = fit(compiled, lambda base, choice: _recompile(base, graph, choice), kinds)
    write_levers(key, graph, fitting.choice, fitting.levers_taken)
    return fitting


def _recompile(base: Compiled, graph: Graph, choice: Choice) -> Compiled:
    """Return a workload compiled with another choice; what `base`, where that was another one, has in common is kept.

    Parameters
    ----------
    base : Compiled
    graph : Graph
        As it is before any choice.
    choice : Choice
    """
    apart = choice == NO_CHOICE or replace(choice, outlined=base.choice.outlined) != base.choice
    if apart or base.lowered is None or base.layout.choices or base.layout.packed:
        return compile_graph(base.workload, base.chip, graph, choice=choice)
    program, memory = _finish(base.lowered, base.chip, choice.outlined)
    return replace(base, program=program, memory=memory, choice=choice, layout=GREEDY)


def _finish(lowered: Program, chip: Chip, outlined: bool) -> tuple[Program, MemoryMap]:
    """Return a lowered program, with shared exchange code and results in place, and its memory."""
    shared = outline(lowered) if outlined else None
    return with_room(in_place(shared or lowered), chip)


def _cannot_fit(compiled: Compiled) -> bool:
    """Return whether an op has no plan for another reason than memory."""
    return any(plan.reason != "memory" for plan in compiled.unplanned)


def load_inputs(
    workload: WorkloadLike, chip: ChipLike | None = None, settings: Sequence[str] = (), **chip_fields: object
) -> tuple[Workload, Chip]:
    """Return workload and chip with the overrides applied; see :func:`compile_workload`."""
    of_chip, of_workload = split_settings(settings)
    try:
        loaded = load_workload(workload, of_workload)
    except BadInputError as error:
        further = _chip_problems(workload, chip, of_chip, chip_fields)
        raise BadInputError([*map(_with_chip_field, error.problems), *further]) from None
    return loaded, load_chip(_chip_source(loaded, chip), of_chip, **chip_fields)


def _with_chip_field(problem: Problem) -> Problem:
    """Return a problem, with the chip field that a setting may mean if the workload has nothing like it."""
    if problem.hint or problem.message != "unknown key" or not problem.file.startswith("--set "):
        return problem
    return replace(problem, hint=did_you_mean(problem.path, constant_fields()))


def _chip_problems(
    workload: WorkloadLike, chip: ChipLike | None, settings: Sequence[str], chip_fields: Mapping[str, object]
) -> tuple[Problem, ...]:
    """Return what is wrong with the chip of a workload that could not be loaded, as far as the chip is known."""
    try:
        source = chip if chip is not None else _chip_source(load_workload(workload), None)
    except BadInputError:
        return ()
    try:
        load_chip(source, settings, **chip_fields)
    except BadInputError as error:
        return tuple(error.problems)
    return ()


def compile_graph(
    workload: Workload,
    chip: Chip,
    graph: Graph,
    proportion: float | None = None,
    may_relax: bool = True,
    runners_up: int = 4,
    choice: Choice = NO_CHOICE,
    layout: str = "",
) -> Compiled:
    """Compile a graph that is built already.

    `proportion` overrides the workload's ``available_memory_proportion``; without `may_relax` it is not raised. As
    many `runners_up` are kept beside each plan. `choice` is what has been decided so that it fits; then every op is
    laid out on its own. `layout` overrides the workload's; whether a graph fits does not depend on it.
    """
    options = PlanOptions(proportion or workload.compile.available_memory_proportion, may_relax, runners_up)
    graph = recompute(_in_dram(graph, choice.streamed), choice.recomputed)
    own = {
        op: PlanOptions(bound / chip.tile_sram_bytes, may_relax=False, runners_up=runners_up)
        for op, bound in choice.temporaries.items()
    }
    plans = plan_graph(graph, chip, options, own)
    if any(isinstance(plan, Unplannable) for plan in plans.values()):
        return Compiled(workload, chip, graph, plans, None, None, choice)
    network = (layout or workload.compile.layout) == "network" and choice == NO_CHOICE
    laid = lay_out(graph, plans, chip, options, network)
    program, memory = _finish(laid.program, chip, choice.outlined)
    return Compiled(workload, chip, graph, laid.plans, program, memory, choice, (), laid.layout, laid.program)


def _in_dram(graph: Graph, names: Collection[str]) -> Graph:
    moved = {name: replace(graph.tensors[name], memory="dram") for name in names}
    return replace(graph, tensors={**graph.tensors, **moved}) if moved else graph


def split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the overrides of the chip and those of the workload.

    A key belongs to the chip if it starts with ``chip.`` or with the name of a chip field.
    """
    of_chip, of_workload = [], []
    fields = set(constant_fields())
    for setting in settings:
        first = setting.partition("=")[0].partition(".")[0]
        if setting.startswith("chip."):
            of_chip.append(setting.removeprefix("chip."))
        elif first in fields:
            of_chip.append(setting)
        else:
            of_workload.append(setting)
    return of_chip, of_workload


def changed_chip(chip: Chip, **fields: object) -> Chip | None:
    """Return the chip with other values of some fields, or None where they are beyond what a chip can have."""
    try:
        return chip.replace(**fields)
    except BadInputError:
        return None


def _chip_source(workload: Workload, chip: ChipLike | None) -> ChipLike:
    if chip is not None:
        return chip
    beside = workload.folder / workload.chip
    return beside if beside.suffix and beside.exists() else workload.chip
