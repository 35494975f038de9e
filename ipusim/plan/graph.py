"""Plans of a whole graph: every op that has a choice gets one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.matmul import matrix_extents
from ipusim.plan.conv import ConvPlan, plan_convolution
from ipusim.plan.conv_problem import CONVOLUTIONS, ConvProblem, conv_problem
from ipusim.plan.dense import DensePlan, plan_matmul, product_of, resident_bytes
from ipusim.plan.gradient_problem import GradientProblem, gradient_problem
from ipusim.plan.pool import POOLS, PoolPlan, plan_pool
from ipusim.plan.problem import MatMulProblem, PlanOptions
from ipusim.plan.sparse_problem import SPARSE_FORMATS, SparseProblem, is_sparse_matmul, sparse_problem
from ipusim.plan.tile_plan import TilePlan

if TYPE_CHECKING:
    from ipusim.plan.dynamic_placing import Placements
    from ipusim.plan.dynamic_shortage import BucketShortage


class SparsePlan(Protocol):
    """What the plans of all kinds of sparsity have in common."""

    @property
    def problem(self) -> SparseProblem | GradientProblem:
        """What was planned."""

    @property
    def cycles(self) -> int:
        """Estimated cycles."""

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""


PLANNERS = {
    "gather": "gather",
    "scatter_add": "scatter",
    "stencil2d": "stencil",
    "stencil3d": "stencil",
    "top_k": "top_k",
}
"""Operators whose planners never fail, and the module of this room, loaded on first use, that has ``plan_OPERATOR``."""

Plan = DensePlan | ConvPlan | PoolPlan | SparsePlan | TilePlan


@dataclass(frozen=True, slots=True)
class Unplannable:
    """An op for which no plan exists on the chip.

    Attributes
    ----------
    op : str
    reason : str
        ``no_amp_mode`` (the chip cannot compute in these formats), ``no_sparse_vertex`` (there is no sparse vertex
        for them), ``offsets`` (the 16-bit offsets of static vertices cannot address the operand of any split),
        ``bucket`` (a dynamic pattern does not fit its buckets) or ``memory``.
    problem : MatMulProblem, ConvProblem, SparseProblem or GradientProblem
    shortage : BucketShortage or None
        What is missing in the buckets.
    """

    op: str
    reason: str
    problem: MatMulProblem | ConvProblem | SparseProblem | GradientProblem
    shortage: BucketShortage | None = None

    @property
    def resident_bytes(self) -> int:
        """Bytes of operands and result together."""
        if isinstance(self.problem, MatMulProblem):
            return resident_bytes(product_of(self.problem))
        return self.problem.resident_bytes


Plans = Mapping[str, Plan | Unplannable]


def is_sparse_plan(plan: Plan | Unplannable | None) -> bool:
    """Return whether a plan is that of a product with a sparse operand or result."""
    return isinstance(getattr(plan, "problem", None), (SparseProblem, GradientProblem))


def plan_graph(
    graph: Graph, chip: Chip, options: PlanOptions, own: Mapping[str, PlanOptions] | None = None
) -> dict[str, Plan | Unplannable]:
    """Return the plan of every matrix product, convolution and pooling of `graph`, or why there is none.

    Equal dense ones are planned once. Ops may have options of their `own`, by their name.
    """
    plans: dict[str, Plan | Unplannable] = {}
    placements: Placements = {}
    dense: dict[tuple[MatMulProblem, PlanOptions], DensePlan | None] = {}
    common = options

    def options_of(name: str) -> PlanOptions:
        return (own or {}).get(name, common)

    for op in graph.ops:
        options = replace(options_of(op.name), resident=all(graph.tensors[name].memory == "sram" for name in op.inputs))
        if op.kind in CONVOLUTIONS:
            convolution = conv_problem(graph, op)
            found = plan_convolution(convolution, chip, options)
            plans[op.name] = found or Unplannable(op.name, _reason(convolution, chip), convolution)
        if op.kind in POOLS:
            plans[op.name] = plan_pool(graph, op, chip)
        if op.kind in PLANNERS:
            plans[op.name] = _planner(op.kind)(graph, op, chip, options)
        if op.kind == "matmul_at_nonzeros":
            plans[op.name] = _plan_gradient(graph, op, chip, options_of, placements, plans)
        if op.kind != "matmul":
            continue
        if is_sparse_matmul(graph, op):
            plans[op.name] = _plan_sparse(graph, op, chip, options, placements)
            continue
        problem = matmul_problem(graph, op)
        if (problem, options) not in dense:
            dense[problem, options] = plan_matmul(problem, chip, options)
        plan = dense[problem, options]
        plans[op.name] = plan or Unplannable(op.name, _reason(problem, chip), problem)
    return plans


def _planner(kind: str) -> Callable[[Graph, Op, Chip, PlanOptions], TilePlan]:
    found: Callable[[Graph, Op, Chip, PlanOptions], TilePlan] = getattr(
        import_module(f"ipusim.plan.{PLANNERS[kind]}"), f"plan_{kind}"
    )
    return found


def _plan_sparse(graph: Graph, op: Op, chip: Chip, options: PlanOptions, placements: Placements) -> Plan | Unplannable:
    """Plan a matmul with a sparse operand, with the planner of its mode (loaded only now)."""
    problem = sparse_problem(graph, op)
    if problem.inputs_format not in SPARSE_FORMATS:
        return Unplannable(op.name, "no_sparse_vertex", problem)
    if problem.sparsity.mode == "static":
        from ipusim.plan.static_plan import plan_static_sparse

        raised = options.may_relax and problem.resident_bytes <= chip.total_sram_bytes
        reason = "offsets" if raised else "memory"
        return plan_static_sparse(problem, chip, options) or Unplannable(op.name, reason, problem)
    from ipusim.plan.dynamic_shortage import BucketShortage
    from ipusim.plan.dynamic_sparse import plan_dynamic_op

    plan = plan_dynamic_op(graph, problem, chip, options, placements)
    if isinstance(plan, BucketShortage):
        return Unplannable(op.name, "bucket", problem, plan)
    return plan or Unplannable(op.name, "memory", problem)


def _plan_gradient(
    graph: Graph,
    op: Op,
    chip: Chip,
    options_of: Callable[[str], PlanOptions],
    placements: Placements,
    plans: Plans,
) -> Plan | Unplannable:
    """Plan the gradient of a sparse tensor with the planner of its mode (loaded only now)."""
    problem, options = gradient_problem(graph, op), options_of(op.name)
    if problem.inputs_format not in SPARSE_FORMATS:
        return Unplannable(op.name, "no_sparse_vertex", problem)
    if problem.sparsity.mode == "static":
        from ipusim.plan.static_gradient import forward_plan, plan_static_gradient

        forward = forward_plan(graph, problem, chip, options_of, plans)
        found = forward and plan_static_gradient(problem, forward, chip, options)
        return found or Unplannable(op.name, "memory", problem)
    from ipusim.plan.dynamic_gradient import plan_dynamic_gradient
    from ipusim.plan.dynamic_shortage import BucketShortage

    plan = plan_dynamic_gradient(graph, problem, chip, options, placements)
    if isinstance(plan, BucketShortage):
        return Unplannable(op.name, "bucket", problem, plan)
    return plan or Unplannable(op.name, "memory", problem)


def _reason(problem: MatMulProblem | ConvProblem, chip: Chip) -> str:
    modes = chip.amp_modes_for(problem.inputs_format, problem.partials_format)
    return "memory" if modes else "no_amp_mode"


def matmul_problem(graph: Graph, op: Op) -> MatMulProblem:
    """Return the matrix product that a matmul op asks for.

    A batch of left operands that share a plain right operand is one product with more rows.
    """
    left, right = (graph.tensors[name] for name in op.inputs)
    m, k, _, n = matrix_extents(left.shape, right.shape, op.attrs)
    groups = max(prod(left.shape[:-2]), prod(right.shape[:-2]))
    if groups > 1 and len(right.shape) == 2 and not op.attrs.get("transpose_a"):
        m, groups = m * groups, 1
    output = graph.tensors[op.outputs[0]]
    return MatMulProblem(groups, m, k, n, left.dtype, str(op.attrs["partials"]), output.dtype)
