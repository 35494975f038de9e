"""The plan of a dynamic sparse matmul of a graph: partition and buckets, and the real pattern in them.

A weight is laid out once, for the orientation in which its forward pass reads it; a matmul with the transposed weight
is the transposed pass over the same buckets. Both passes are always planned together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.plan.dynamic_buckets import value_places
from ipusim.plan.dynamic_estimate import PassEstimate, total_cycles
from ipusim.plan.dynamic_fields import vertex_codelet
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_placing import Placements, estimate_entries, laid_out_turned, placed, wants_gradient
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.plan.dynamic_shortage import BucketShortage
from ipusim.plan.dynamic_update import PatternUpdate, pattern_update
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseProblem, SparseSums

IntArray = NDArray[np.int64]


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
        return value_places(self.placement, self.stored_transposed)

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
                "tensor": problem.sparse,
                "host_s": self.update.host_s,
                "upload_s": self.update.upload_s if math.isfinite(self.update.upload_s) else None,
                "upload_bytes": self.update.values_bytes + self.update.metadata_bytes,
            },
            **estimate_entries(self),
        }


def plan_dynamic_op(
    graph: Graph, problem: SparseProblem, chip: Chip, options: PlanOptions, placements: Placements
) -> DynamicSparsePlan | BucketShortage | None:
    """Return the plan of an op of a graph: as :func:`plan_dynamic_sparse`, with the passes that the graph asks for.

    Parameters
    ----------
    placements : dict
        Shared by the ops of the graph.
    """
    transposed = problem.weight_transposed != laid_out_turned(graph, problem.sparse)
    grad_w = wants_gradient(graph, problem.sparse)
    return plan_dynamic_sparse(problem, chip, options, transposed, grad_w, placements)


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
    placements = {} if placements is None else placements
    found = placed(problem, transposed, problem.weight_transposed, chip, options, grad_w, placements)
    if not isinstance(found, Placement):
        return found
    return DynamicSparsePlan(problem, found, transposed, pattern_update(found, chip))
