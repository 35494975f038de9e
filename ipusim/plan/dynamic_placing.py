"""Where the non-zeros of a dynamic tensor of a graph lie: once for all ops that use it, where their plans agree."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Protocol

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Sparsity
from ipusim.plan.dynamic_partition import BucketOverflowError, Placement, partition_pattern
from ipusim.plan.dynamic_plan import DynamicPlan, plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_room import AUTO, plan_with_room
from ipusim.plan.dynamic_shortage import BucketShortage, overflow_shortage, reach_shortage, word_shortage
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import is_sparse_matmul
from ipusim.sparse.blocks import Blocks, transpose_blocks
from ipusim.sparse.patterns.spec import density_of

Placements = dict[tuple[object, ...], Placement]


class PatternProblem(Protocol):
    """What the passes over a dynamic tensor have in common: a matrix ``[m, k]`` of blocks, and `n` columns."""

    @property
    def sparse(self) -> str:
        """Tensor of the graph."""

    @property
    def m(self) -> int:
        """Rows."""

    @property
    def k(self) -> int:
        """Columns."""

    @property
    def n(self) -> int:
        """Columns of the dense operands."""

    @property
    def blocks(self) -> Blocks:
        """Pattern in blocks of the device."""

    @property
    def sparsity(self) -> Sparsity:
        """What the workload says of the tensor."""

    @property
    def dtype(self) -> str:
        """Number format."""

    @property
    def partials_format(self) -> str:
        """Number format of partial sums that is asked for."""


def placed(
    problem: PatternProblem,
    transposed: bool,
    turned: bool,
    chip: Chip,
    options: PlanOptions,
    grad_w: bool,
    placements: Placements,
) -> Placement | BucketShortage | None:
    """Return plan and place of the non-zeros, shared with ops that have the same plan for the same tensor.

    Parameters
    ----------
    problem : PatternProblem
    transposed : bool
        What is laid out is the transpose of the problem's matrix.
    turned : bool
        The problem's matrix is the transpose of the tensor as it is stored.
    chip : Chip
    options : PlanOptions
    grad_w : bool
        Plan for the gradient of the tensor, too.
    placements : dict
        Found so far; extended.

    Returns
    -------
    Placement, BucketShortage or None
        None if no plan meets the bound on memory (where it must not be relaxed).
    """
    m, k = (problem.k, problem.m) if transposed else (problem.m, problem.k)
    chosen = dynamic_options(problem, options, grad_w)
    size, density = problem.blocks.block_size, declared_density(problem)
    shape = (m, k, problem.n, size, density, problem.dtype, chip)
    plan = plan_with_room(*shape, chosen) if problem.sparsity.oversize == AUTO else plan_dynamic(*shape, chosen)
    if plan is None:
        return reach_shortage(problem, chip)
    if plan.relaxed and not options.may_relax:
        return None
    key = (problem.sparse, turned != transposed, plan)
    if key not in placements:
        try:
            placements[key] = place(problem, plan, transposed)
        except BucketOverflowError as error:
            return overflow_shortage(problem, plan, error)
    return word_shortage(problem, placements[key]) or placements[key]


def place(problem: PatternProblem, plan: DynamicPlan, transposed: bool) -> Placement:
    """Return where the non-zeros of a problem lie under a plan that was made for its (un)transposed matrix.

    Raises
    ------
    BucketOverflowError
        When they do not fit the plan's buckets.
    """
    return partition_pattern(plan, transpose_blocks(problem.blocks) if transposed else problem.blocks)


def dynamic_options(problem: PatternProblem, options: PlanOptions, grad_w: bool = False) -> DynamicOptions:
    """Return the planner's options: partial sums are float16 only where vertices have them (blocks of float16)."""
    halves = problem.partials_format == problem.dtype == "float16" and problem.blocks.block_size > 1
    return DynamicOptions(
        available_memory_proportion=options.available_memory_proportion,
        oversize=0.0 if problem.sparsity.oversize == AUTO else float(problem.sparsity.oversize),
        partials="float16" if halves else "float32",
        grad_w=grad_w,
    )


def declared_density(problem: PatternProblem) -> Fraction:
    """Return the largest density that the buckets make room for: that of the workload, in whole blocks of the user.

    A density that was counted in a file counts elements; there the pattern itself says how many blocks there are.
    """
    sparsity, elements = problem.sparsity, problem.m * problem.k
    if not sparsity.declared:
        return Fraction(max(1, problem.blocks.n_values), elements)
    grid = elements // sparsity.block_size**2
    return Fraction(math.ceil(density_of(sparsity.density) * grid) * sparsity.block_size**2, elements)


def laid_out_turned(graph: Graph, weight: str) -> bool:
    """Return whether the transpose of a tensor is what is laid out for the passes over it.

    The first product that uses the tensor without a transpose flag on it is the forward pass and decides; where every
    product has the flag, the layout is not that which the first one asks for. Products that want the tensor the other
    way round are transposed passes. Without a product, the tensor is laid out as it is.
    """
    uses = [_use(graph, op) for op in _products(graph, weight)]
    plain = [turned for turned, flagged in uses if not flagged]
    if plain:
        return plain[0]
    return bool(uses) and not uses[0][0]


def forward_product(graph: Graph, weight: str) -> Op | None:
    """Return the first product that uses a tensor, of those without a transpose flag on it if there are any."""
    products = _products(graph, weight)
    return min(products, key=lambda op: _use(graph, op)[1], default=None)


def _products(graph: Graph, weight: str) -> list[Op]:
    return [op for op in graph.ops if is_sparse_matmul(graph, op) and weight in op.inputs]


def _use(graph: Graph, op: Op) -> tuple[bool, bool]:
    """Return whether the left operand of a product is the transpose of its sparse tensor, and whether a flag is on."""
    on_left = graph.tensors[op.inputs[0]].sparsity is not None
    flagged = bool(op.attrs.get("transpose_a" if on_left else "transpose_b", False))
    return flagged == on_left, flagged


def wants_gradient(graph: Graph, weight: str) -> bool:
    """Return whether an op of the graph computes a product at the non-zeros of a tensor."""
    return any(op.kind == "matmul_at_nonzeros" and op.inputs[2] == weight for op in graph.ops)


def estimate_entries(plan: Any) -> dict[str, Any]:
    """Return what a plan of a pass over a dynamic tensor says of its estimate, as JSON-ready values."""
    terms = {name.removesuffix("_cycles"): value for name, value in plan.estimate._asdict().items() if value}
    terms.pop("temporary_bytes", None)
    return {
        "tiles_used": plan.tiles_used,
        "estimated_cycles": plan.cycles,
        "estimated_terms": terms,
        "temporary_bytes": plan.plan.temporary_bytes,
        "memory_bound_bytes": plan.plan.bound_bytes or None,
        "relaxed": plan.plan.relaxed,
        "runners_up": [],
    }
