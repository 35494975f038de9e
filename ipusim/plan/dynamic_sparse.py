"""The plan of a dynamic sparse matmul of a graph: partition and buckets, and the real pattern in them.

A weight is laid out once, for the orientation in which its forward pass reads it; a matmul with the transposed weight
is the transposed pass over the same buckets. Both passes are always planned together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_buckets import write_places
from ipusim.plan.dynamic_estimate import PassEstimate, total_cycles
from ipusim.plan.dynamic_fields import vertex_codelet
from ipusim.plan.dynamic_partition import BucketOverflowError, Placement, partition_pattern
from ipusim.plan.dynamic_plan import DynamicPlan, plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_shortage import BucketShortage, overflow_shortage, reach_shortage, word_shortage
from ipusim.plan.dynamic_update import PatternUpdate, pattern_update
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseProblem, SparseSums, is_sparse_matmul
from ipusim.sparse.blocks import transpose_blocks
from ipusim.sparse.patterns.spec import density_of

IntArray = NDArray[np.int64]
Placements = dict[tuple[object, ...], Placement]


@dataclass(frozen=True, slots=True)
class DynamicSparsePlan:
    """How a dynamic sparse matmul runs.

    Attributes
    ----------
    problem : SparseProblem
        What the op asks for.
    placement : Placement
        Plan, and where the non-zeros lie; ops on the same weight share it.
    transposed : bool
        The op multiplies by the transpose of what is laid out (gradient of the dense input).
    update : PatternUpdate
        What a new pattern costs.
    """

    problem: SparseProblem
    placement: Placement
    transposed: bool
    update: PatternUpdate

    @property
    def plan(self) -> DynamicPlan:
        """Partition, buckets and estimates of all planned passes."""
        return self.placement.plan

    @property
    def estimate(self) -> PassEstimate:
        """Estimate of the op's pass."""
        chosen = self.plan.grad_a if self.transposed else self.plan.forward
        assert chosen is not None
        return chosen

    @property
    def cycles(self) -> int:
        """Estimated cycles of the op's pass."""
        return total_cycles(self.estimate)

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""
        return self.plan.n_tiles_used

    @property
    def partials_format(self) -> str:
        """Number format of the partial sums."""
        return "float32" if self.plan.problem.partial_bytes == 4 else "float16"

    @property
    def stored_transposed(self) -> bool:
        """Whether what is laid out is the transpose of the tensor as the graph has it."""
        return self.problem.weight_transposed != self.transposed

    def value_index(self) -> IntArray:
        """Return where each place of the buckets is in the tensor (row-major): int64 [tiles, groups, b, b], or -1."""
        placement, plan = self.placement, self.plan
        size, blocks = plan.problem.block_size, placement.blocks
        index = np.full((plan.n_tiles_used, plan.bucket_groups, size, size), -1, np.int64)
        m, k = blocks.shape
        steps = (1, m) if self.stored_transposed else (k, 1)
        compiled(write_places)(
            placement.piece_bucket,
            placement.piece_start,
            placement.piece_stop,
            placement.order,
            blocks.rows,
            blocks.cols,
            *steps,
            index,
        )
        return index

    def sums(self) -> SparseSums:
        """Return how the products are added up: tile by tile, and on a tile in the order of the buckets.

        That is the order of depth, unless non-zeros were moved to other buckets.
        """
        placement, plan = self.placement, self.plan
        size, blocks = plan.problem.block_size, placement.blocks
        groups, parts = (plan.x_groups, plan.p_m) if self.transposed else (plan.y_groups, plan.p_k)
        rows, cols = (axis.astype(np.int64) for axis in (blocks.rows, blocks.cols))
        line, part = (cols, rows // groups) if self.transposed else (rows, cols // groups)
        most = int(np.bincount(line * parts + part).max(initial=0))
        bounds = (*range(0, self.problem.k, groups * size), self.problem.k)
        moved = not np.array_equal(placement.piece_bucket, placement.piece_home)
        return SparseSums(np.arange(self.problem.k), bounds, most * size, most, parts, ordered=not moved)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values; ``p_m`` and ``p_k`` are those of the op's own product."""
        plan, problem = self.plan, self.problem
        p_m, p_k = (plan.p_k, plan.p_m) if self.transposed else (plan.p_m, plan.p_k)
        terms = self.estimate._asdict()
        return {
            "strategy": "dynamic_sparse",
            "partition": {"p_m": p_m, "p_k": p_k, "p_n": plan.p_n},
            "vertex": vertex_codelet(plan, self.transposed),
            "mode": problem.sparsity.mode,
            "block_size": plan.problem.block_size,
            "density": plan.problem.density,
            "swapped": problem.output_transposed,
            "pass": "transposed" if self.transposed else "forward",
            "partials": self.partials_format,
            "oversize": plan.problem.oversize,
            "bucket_bytes": plan.bucket_bytes,
            "propagation_steps": self.placement.propagation_steps,
            "pattern_update": {
                "host_s": self.update.host_s,
                "upload_s": self.update.upload_s if math.isfinite(self.update.upload_s) else None,
                "upload_bytes": self.update.values_bytes + self.update.metadata_bytes,
            },
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {
                name.removesuffix("_cycles"): value
                for name, value in terms.items()
                if name != "temporary_bytes" and value
            },
            "temporary_bytes": plan.temporary_bytes,
            "memory_bound_bytes": plan.bound_bytes or None,
            "relaxed": plan.relaxed,
            "runners_up": [],
        }


def plan_dynamic_op(
    graph: Graph, op: Op, problem: SparseProblem, chip: Chip, options: PlanOptions, placements: Placements
) -> DynamicSparsePlan | BucketShortage | None:
    """Return the plan of an op of a graph: as :func:`plan_dynamic_sparse`, with the pass that the graph asks for.

    Parameters
    ----------
    placements : dict
        Shared by the ops of the graph.
    """
    return plan_dynamic_sparse(problem, chip, options, is_transposed_pass(graph, op), placements=placements)


def is_transposed_pass(graph: Graph, op: Op) -> bool:
    """Return whether an op is the transposed pass of its sparse operand.

    The first op that uses the weight without a transpose flag on it decides for which orientation the weight is laid
    out; where every op has the flag, it is the other orientation than that of the first one. Ops that want the weight
    the other way round are transposed passes.
    """
    weight, turned, _ = _use(graph, op)
    uses = [_use(graph, other) for other in graph.ops if is_sparse_matmul(graph, other) and weight in other.inputs]
    plain = [other_turned for _, other_turned, flagged in uses if not flagged]
    return turned != (plain[0] if plain else not uses[0][1])


def _use(graph: Graph, op: Op) -> tuple[str, bool, bool]:
    """Return the sparse operand of an op, whether the left operand is its transpose, and whether a flag says so."""
    on_left = graph.tensors[op.inputs[0]].sparsity is not None
    flagged = bool(op.attrs.get("transpose_a" if on_left else "transpose_b", False))
    return op.inputs[0 if on_left else 1], flagged == on_left, flagged


def plan_dynamic_sparse(
    problem: SparseProblem,
    chip: Chip,
    options: PlanOptions,
    transposed: bool = False,
    grad_w: bool = False,
    placements: Placements | None = None,
) -> DynamicSparsePlan | BucketShortage | None:
    """Return the plan for the declared non-zeros, and the pattern in its buckets.

    Parameters
    ----------
    problem : SparseProblem
        With float16 or float32 operands.
    chip : Chip
    options : PlanOptions
    transposed : bool
        The op is the transposed pass over a weight that is laid out for the other orientation.
    grad_w : bool
        The graph wants the gradient of the weight, too; it is planned with the other passes.
    placements : dict, optional
        Placements of ops that were planned before; those of equal plans of the same weight are shared.

    Returns
    -------
    DynamicSparsePlan, BucketShortage or None
        None if no plan meets the bound on memory (where it must not be relaxed).
    """
    m, k = (problem.k, problem.m) if transposed else (problem.m, problem.k)
    chosen = dynamic_options(problem, options, grad_w)
    plan = plan_dynamic(
        m, k, problem.n, problem.blocks.block_size, declared_density(problem), problem.dtype, chip, chosen
    )
    if plan is None:
        return reach_shortage(problem, chip)
    if plan.relaxed and not options.may_relax:
        return None
    placements = {} if placements is None else placements
    key = (problem.sparse, problem.weight_transposed != transposed, plan)
    if key not in placements:
        try:
            placements[key] = place(problem, plan, transposed)
        except BucketOverflowError as error:
            return overflow_shortage(problem, plan, error)
    placement = placements[key]
    return word_shortage(problem, placement) or DynamicSparsePlan(
        problem, placement, transposed, pattern_update(placement, chip)
    )


def place(problem: SparseProblem, plan: DynamicPlan, transposed: bool) -> Placement:
    """Return where the non-zeros of a problem lie under a plan that was made for its (un)transposed operand.

    Raises
    ------
    BucketOverflowError
        When they do not fit the plan's buckets.
    """
    return partition_pattern(plan, transpose_blocks(problem.blocks) if transposed else problem.blocks)


def dynamic_options(problem: SparseProblem, options: PlanOptions, grad_w: bool = False) -> DynamicOptions:
    """Return the planner's options: partial sums are float16 only where vertices have them (blocks of float16)."""
    halves = problem.partials_format == problem.dtype == "float16" and problem.blocks.block_size > 1
    return DynamicOptions(
        available_memory_proportion=options.available_memory_proportion,
        oversize=problem.sparsity.oversize,
        partials="float16" if halves else "float32",
        grad_w=grad_w,
    )


def declared_density(problem: SparseProblem) -> Fraction:
    """Return the largest density that the buckets make room for: that of the workload, in whole blocks of the user.

    A density that was counted in a file counts elements; there the pattern itself says how many blocks there are.
    """
    sparsity, elements = problem.sparsity, problem.m * problem.k
    if not sparsity.declared:
        return Fraction(max(1, problem.blocks.n_values), elements)
    grid = elements // sparsity.block_size**2
    return Fraction(math.ceil(density_of(sparsity.density) * grid) * sparsity.block_size**2, elements)
