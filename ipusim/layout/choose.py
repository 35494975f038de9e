"""The layout of a graph: the searched one where it is better than that of every op on its own, from the cache if known.

Whatever the search promises, programs are compared as they are: what every op on its own leads to, the same with
independent work in common supersteps, and what the search found. The quickest that fits is taken; of equals the
plainest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ipusim.chip.model import Chip
from ipusim.engine.in_place import in_place
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.layout.candidates import Unit, units_of
from ipusim.layout.search import choices_of, search_choices
from ipusim.layout.trial import Trials
from ipusim.lower.lowering import lower_graph
from ipusim.ops.registry import find_op
from ipusim.plan.cache import Rows, read_entry, write_entry
from ipusim.plan.graph import Plan, Plans, Unplannable, is_sparse_plan
from ipusim.plan.layout import GREEDY, Choice, Layout
from ipusim.plan.problem import PlanOptions

COMPARED = 2
"""Results of the search that are compared as whole programs."""

_SUMMARY = -1
"""First number of the row that holds what is true of the whole graph."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A graph with its layout: the choices, the plans that follow from them, and the program."""

    layout: Layout
    plans: dict[str, Plan | Unplannable]
    program: Program


def lay_out(graph: Graph, plans: Plans, chip: Chip, options: PlanOptions, network: bool) -> Laid:
    """Return the program of a graph with the best layout.

    Parameters
    ----------
    graph : Graph
    plans : mapping of op name to plan
        The best of each op on its own.
    chip : Chip
    options : PlanOptions
        Those that `plans` were made with.
    network : bool
        Look for choices that are better for the whole graph.
    """
    if not network or not has_choices(graph, plans):
        return Laid(GREEDY, dict(plans), lower_graph(graph, plans, chip))
    units = units_of(graph, plans, chip, options)
    key = ("layout", _described(graph), chip.model_dump_json(), options.available_memory_proportion, options.may_relax)
    known = read_entry(key)
    if known is not None:
        layout = _from_rows(known[0], units)
        return Laid(layout, plans_of(plans, layout), lower_graph(graph, plans, chip, layout))
    laid = _searched(graph, plans, chip, units)
    write_entry(key, _rows(laid.layout, units), 0)
    return laid


def has_choices(graph: Graph, plans: Plans) -> bool:
    """Return whether ops of a graph have anything to decide together: two that compute, all of it in SRAM.

    Sparse products do not count; they take their operand from wherever it is.
    """
    working = (op for op in graph.ops if find_op(op.kind).family not in ("view", "move"))
    return sum(not is_sparse_plan(plans.get(op.name)) for op in working) > 1 and not graph.dram_tensors


def plans_of(plans: Plans, layout: Layout) -> dict[str, Plan | Unplannable]:
    """Return the plans that a layout takes; the best of an op on its own is then one of the runners-up."""
    taken = dict(plans)
    for name, choice in layout.choices.items():
        for op in (name, *choice.together) if choice.plan is not None else ():
            taken[op] = _with_runners_up(choice.plan, plans[op])
    return taken


def _with_runners_up(chosen: Any, best: Any) -> Plan:
    """Return a plan with the best of its op and that one's runners-up as its own runners-up."""
    others = (replace(best, runners_up=()), *best.runners_up)
    rest = (each for each in others if (each.split, each.variant) != (chosen.split, chosen.variant))
    found: Plan = replace(chosen, runners_up=tuple(rest)[: len(best.runners_up)])
    return found


def _searched(graph: Graph, plans: Plans, chip: Chip, units: tuple[Unit, ...]) -> Laid:
    alone = lower_graph(graph, plans, chip)
    greedy_cycles = time_program(alone, chip).cycles
    best = Laid(replace(GREEDY, greedy_cycles=greedy_cycles, cycles=greedy_cycles), dict(plans), alone)
    if not map_memory(in_place(alone), chip).fits:
        return best
    found: list[dict[str, Choice]] = [{}]
    if any(len(unit.choices) > 1 for unit in units):
        states = search_choices(graph, units, Trials(graph, plans, chip))
        found += [choices_of(state) for state in states[:COMPARED]]
    for choices in found:
        layout = Layout(choices, packed=True)
        program = lower_graph(graph, plans, chip, layout)
        cycles = time_program(program, chip).cycles
        if cycles < (best.layout.cycles or 0) and map_memory(in_place(program), chip).fits:
            layout = replace(layout, greedy_cycles=greedy_cycles, cycles=cycles)
            best = Laid(layout, plans_of(plans, layout), program)
    return best


def _described(graph: Graph) -> str:
    """Return all of a graph that plans and homes may depend on."""
    tensors = ((name, tensor) for name, tensor in graph.tensors.items())
    return repr((tuple(tensors), graph.ops, graph.outputs, graph.seed))


def _rows(layout: Layout, units: tuple[Unit, ...]) -> Rows:
    """Return a layout as rows of whole numbers: the number of each unit with a choice of its own, and of the choice."""
    summary = (_SUMMARY, int(layout.packed), layout.greedy_cycles or 0, layout.cycles or 0)
    chosen = [
        (index, unit.choices.index(layout.choices[unit.name]))
        for index, unit in enumerate(units)
        if unit.name in layout.choices
    ]
    return (summary, *chosen)


def _from_rows(rows: Rows, units: tuple[Unit, ...]) -> Layout:
    """Return the layout of rows that :func:`_rows` has made."""
    (_, packed, greedy_cycles, cycles), *chosen = rows
    choices = {units[index].name: units[index].choices[number] for index, number in chosen}
    return Layout(choices, bool(packed), greedy_cycles, cycles)
