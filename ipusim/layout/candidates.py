"""What each op of a graph could do, and which products could run beside each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.lower.fusion import fused_ops, leaves
from ipusim.ops.registry import find_op
from ipusim.plan.conv import ConvPlan
from ipusim.plan.dense import DensePlan, plan_matmul
from ipusim.plan.graph import Plans, is_sparse_plan
from ipusim.plan.layout import DEFAULT, IN_PLACE, Choice
from ipusim.plan.problem import PlanOptions

RUNNERS_UP = 4
"""Plans of a product that are considered beside its best."""

CONV_RUNNERS_UP = 2
"""The same of a convolution, of which a network has many that are all different."""

PARTS = (IN_PLACE, 1, 2, 4, 8, 16)
"""Parts of the results of a reduction that are considered."""

MOST_TOGETHER = 8
"""Most products that run beside each other."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Ops that are lowered in one go, and what they can do.

    Attributes
    ----------
    ops : tuple of Op
        The last gives the unit its name.
    choices : tuple of Choice
        :data:`~ipusim.plan.layout.DEFAULT` first.
    alone : bool
        Its cost depends on nothing that other ops decide.
    """

    ops: tuple[Op, ...]
    choices: tuple[Choice, ...] = (DEFAULT,)
    alone: bool = False

    @property
    def name(self) -> str:
        """Name of the op that stands for all."""
        return self.ops[-1].name


def units_of(graph: Graph, plans: Plans, chip: Chip, options: PlanOptions) -> tuple[Unit, ...]:
    """Return the units of a graph in program order, with their choices.

    Parameters
    ----------
    graph : Graph
    plans : mapping of op name to plan
    chip : Chip
    options : PlanOptions
        Those that `plans` were made with.
    """
    groups = fused_ops(graph)
    inner = {op.name for ops in groups.values() for op in ops[:-1]}
    options = replace(options, runners_up=RUNNERS_UP)
    beside = _products_beside(graph, plans)
    wide: dict[tuple[object, int], tuple[DensePlan, ...]] = {}
    units = []
    for op in graph.ops:
        if op.name in inner:
            continue
        plan = plans.get(op.name)
        if op.name in groups:
            units.append(Unit(groups[op.name], _mappings(graph, groups[op.name])))
        elif find_op(op.kind).family == "reduce":
            units.append(Unit((op,), (DEFAULT, *(Choice(parts=parts) for parts in PARTS))))
        elif isinstance(plan, DensePlan):
            key = (plan.problem, len(beside.get(op.name, ())))
            if key not in wide:
                wide[key] = _alternatives(plan, chip, options, key[1])
            together = beside.get(op.name, ())
            names = tuple(other.name for other in together)
            choices = [DEFAULT, *(Choice(plan=each) for each in _alternatives(plan, chip, options, 0))]
            choices += [Choice(each, names) for each in wide[key] if together]
            if not set(op.inputs) <= set(graph.inputs):
                choices += [replace(choice, pick=True) for choice in choices]
            units.append(Unit((op,), tuple(choices)))
        elif isinstance(plan, ConvPlan):
            units.append(Unit((op,), (DEFAULT, *(Choice(plan=each) for each in plan.runners_up[:CONV_RUNNERS_UP]))))
        else:
            units.append(Unit((op,), alone=is_sparse_plan(plan)))
    return tuple(units)


def _alternatives(plan: DensePlan, chip: Chip, options: PlanOptions, others: int) -> tuple[DensePlan, ...]:
    """Return the runners-up of a product; with `others`, the best plans on a fair share of the tiles."""
    if not others:
        found = plan if len(plan.runners_up) >= RUNNERS_UP else plan_matmul(plan.problem, chip, options)
        return found.runners_up[:RUNNERS_UP] if found else ()
    bus = chip.tiles_per_exchange_bus
    tiles = chip.n_tiles // (others + 1) // bus * bus
    found = plan_matmul(plan.problem, chip.replace(n_tiles=tiles), replace(options, may_relax=False)) if tiles else None
    return (replace(found, runners_up=()), *found.runners_up) if found else ()


def _mappings(graph: Graph, ops: tuple[Op, ...]) -> tuple[Choice, ...]:
    size = graph.tensors[ops[-1].outputs[0]].n_elements
    full = [name for name in leaves(ops) if graph.tensors[name].n_elements == size]
    return (DEFAULT, *(Choice(mapping_of=index) for index in range(1, len(full))))


def _products_beside(graph: Graph, plans: Plans) -> dict[str, tuple[Op, ...]]:
    """Return for a product the further ones that read the same operand and are alike, by the name of the first.

    Their other operands have to be inputs of the graph, so that all can run when the first does.
    """
    inputs = set(graph.inputs)
    found: dict[tuple[object, ...], list[Op]] = {}
    for op in graph.ops:
        plan = plans.get(op.name)
        if not isinstance(plan, DensePlan):
            continue
        for which in (0, 1):
            if op.inputs[which] not in inputs and op.inputs[1 - which] in inputs:
                own = graph.tensors[op.inputs[1 - which]]
                key = (op.inputs[which], which, own.shape, own.dtype, plan.problem, repr(sorted(op.attrs.items())))
                found.setdefault(key, []).append(op)
        if set(op.inputs) <= inputs:
            own = graph.tensors[op.inputs[1]]
            key = (op.inputs[0], 0, own.shape, own.dtype, plan.problem, repr(sorted(op.attrs.items())))
            found.setdefault(key, []).append(op)
    beside = {}
    for ops in found.values():
        for start in range(0, len(ops), MOST_TOGETHER):
            members = ops[start : start + MOST_TOGETHER]
            if len(members) > 1 and members[0].inputs != members[1].inputs:
                beside[members[0].name] = tuple(members[1:])
    return beside
