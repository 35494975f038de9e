"""From a graph and its plans to a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.program import Program
from ipusim.ir.tensor import Op
from ipusim.lower.axis_reduction import lower_reduction
from ipusim.lower.builder import Builder
from ipusim.lower.elementwise import lower_cast, lower_map
from ipusim.lower.fusion import fused_ops
from ipusim.lower.matmul import lower_products
from ipusim.lower.movement import lower_movement, lower_view, settle
from ipusim.lower.packing import pack_supersteps
from ipusim.lower.updates import settle_updates
from ipusim.lower.verify import verify_program
from ipusim.ops.registry import find_op
from ipusim.plan.conv import ConvPlan
from ipusim.plan.dense import DensePlan
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.graph import PLANNERS, Plans, Unplannable, is_sparse_plan
from ipusim.plan.layout import DEFAULT, GREEDY, Layout
from ipusim.plan.pool import PoolPlan
from ipusim.plan.tile_plan import TilePlan


def lower_graph(graph: Graph, plans: Plans, chip: Chip, layout: Layout = GREEDY) -> Program:
    """Return the program of `graph`.

    Parameters
    ----------
    graph : Graph
    plans : mapping of op name to plan
        One for every matrix product and convolution.
    chip : Chip
    layout : Layout
        What has been decided across ops.

    Raises
    ------
    VerifierError
        When the result breaks a rule of the machine: a defect of a lowering.
    """
    builder = Builder(graph, chip, layout=layout)
    groups = fused_ops(graph)
    for op in graph.ops:
        lower_op(builder, op, plans, groups)
    for name in graph.outputs:
        before = len(builder.steps)
        settle(builder, name)
        producer = graph.producer(name)
        builder.add_stream(producer.name if producer else name, before)
        builder.share(before)
    settle_updates(builder)
    program = builder.program()
    if layout.packed:
        apart = frozenset(name for name, plan in plans.items() if is_sparse_plan(plan))
        program = pack_supersteps(program, apart)
    verify_program(program)
    return program


def lower_op(builder: Builder, op: Op, plans: Plans, groups: Mapping[str, tuple[Op, ...]]) -> None:
    """Append an op to the program that `builder` makes; nothing if another op has done it, or will.

    Parameters
    ----------
    builder : Builder
    op : Op
    plans : mapping of op name to plan
    groups : mapping of op name to tuple of Op
        Elementwise ops that run together (:func:`~ipusim.lower.fusion.fused_ops`).
    """
    if op.name in builder.done:
        return
    choice = builder.layout.choices.get(op.name, DEFAULT)
    plan = choice.plan or plans.get(op.name)
    before = len(builder.steps)
    if op.name in groups:
        lower_map(builder, groups[op.name])
    elif find_op(op.kind).family == "reduce":
        lower_reduction(builder, op)
    elif find_op(op.kind).family == "view":
        lower_view(builder, op)
    elif find_op(op.kind).family == "move":
        lower_movement(builder, op)
    elif op.kind == "cast":
        lower_cast(builder, op)
    elif op.kind in PLANNERS:
        _lowering(op.kind)(builder, op, plan)
    elif isinstance(plan, DensePlan):
        others = tuple(each for each in builder.graph.ops if each.name in choice.together) if choice.together else ()
        lower_products(builder, (op, *others), plan)
        builder.done |= set(choice.together)
    elif isinstance(plan, ConvPlan):
        _lowering("convolution")(builder, op, plan)
    elif isinstance(plan, PoolPlan):
        _lowering("pooling")(builder, op, plan)
    elif plan is not None and not isinstance(plan, (Unplannable, TilePlan)):
        for name in op.inputs:
            if builder.root(name) in builder.pending:
                settle(builder, name)
        kind = "gradient" if isinstance(plan.problem, GradientProblem) else "matmul"
        _lowering(f"{plan.problem.sparsity.mode}_{kind}")(builder, op, plan)
    builder.add_stream(op.name, before)
    builder.forget_streams()
    builder.share(before)


def _lowering(name: str) -> Callable[[Builder, Op, Any], None]:
    """Return the function ``lower_x`` of the module ``x``, which is loaded only now: most programs need few of them."""
    found: Callable[[Builder, Op, Any], None] = getattr(import_module(f"ipusim.lower.{name}"), f"lower_{name}")
    return found
