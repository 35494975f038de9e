"""The plan of the gradient of a dynamic sparse weight at its non-zeros, in the buckets of its other passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.plan.dynamic_buckets import value_places
from ipusim.plan.dynamic_estimate_grad_w import GradWEstimate, grad_w_total_cycles
from ipusim.plan.dynamic_fields import gradient_codelet
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_placing import Placements, estimate_entries, laid_out_turned, placed
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.plan.dynamic_shortage import BucketShortage
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseSums

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DynamicGradientPlan:
    """How the gradient of a dynamic sparse weight is computed.

    Attributes
    ----------
    problem : GradientProblem
    placement : Placement
        Plan, and where the non-zeros lie; shared with the other passes over the weight where these have the same batch
        and format of partial sums.
    stored_transposed : bool
        What is laid out is the transpose of the weight as it is stored.
    """

    problem: GradientProblem
    placement: Placement
    stored_transposed: bool

    @property
    def plan(self) -> DynamicPlan:
        """Partition, buckets and estimates of all planned passes."""
        return self.placement.plan

    @property
    def estimate(self) -> GradWEstimate:
        """Estimate of this pass."""
        assert self.plan.grad_w is not None
        return self.plan.grad_w

    @property
    def cycles(self) -> int:
        """Estimated cycles of this pass."""
        return grad_w_total_cycles(self.estimate)

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""
        return self.plan.n_tiles_used

    @property
    def partials_format(self) -> str:
        """Number format of the partial sums."""
        return "float32" if self.plan.problem.partial_bytes == 4 else "float16"

    def value_index(self) -> IntArray:
        """Return where each place of the buckets is in the tensor (row-major): int64 [tiles, groups, b, b], or -1."""
        return value_places(self.placement, self.stored_transposed)

    def sums(self) -> SparseSums:
        """Return how the products are added up: part by part of the batch, in any order, rounded after each."""
        n = self.problem.n
        return SparseSums(np.arange(n), (0, n), n, self.plan.p_n, 1, ordered=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values; ``p_m`` and ``p_k`` are parts of the tensor's rows and columns."""
        plan = self.plan
        p_m, p_k = (plan.p_k, plan.p_m) if self.stored_transposed else (plan.p_m, plan.p_k)
        return {
            "strategy": "dynamic_sparse",
            "partition": {"p_m": p_m, "p_k": p_k, "p_n": plan.p_n},
            "vertex": gradient_codelet(plan),
            "mode": self.problem.sparsity.mode,
            "block_size": plan.problem.block_size,
            "density": plan.problem.density,
            "pass": "weight gradient",
            "travelling": "buckets" if plan.exchange_buckets else "operands",
            "amp": plan.amp_grad_w,
            "partials": self.partials_format,
            "oversize": plan.problem.oversize,
            "bucket_bytes": plan.bucket_bytes,
            "propagation_steps": self.placement.propagation_steps,
            **estimate_entries(self),
        }


def plan_dynamic_gradient(
    graph: Graph, problem: GradientProblem, chip: Chip, options: PlanOptions, placements: Placements
) -> DynamicGradientPlan | BucketShortage | None:
    """Return the plan of the gradient of a dynamic weight, planned jointly with the weight's other passes.

    Parameters
    ----------
    graph : Graph
        Its products with the weight decide how the weight is laid out.
    problem : GradientProblem
    chip : Chip
    options : PlanOptions
    placements : dict
        Shared by the ops of the graph.

    Returns
    -------
    DynamicGradientPlan, BucketShortage or None
        None if no plan meets the bound on memory (where it must not be relaxed).
    """
    turned = laid_out_turned(graph, problem.sparse)
    found = placed(problem, turned, False, chip, options, True, placements)
    return DynamicGradientPlan(problem, found, turned) if isinstance(found, Placement) else found
