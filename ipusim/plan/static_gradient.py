"""The plan of the gradient of a static sparse weight: on the tiles where its forward product has the non-zeros.

So the gradient lies where the weight lies, and an update moves neither. Every tile gathers the rows of the dense
operands that its non-zeros meet, over its interval of the columns; sums of several intervals are added up afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.plan.dynamic_placing import forward_product
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseProblem, SparseSums, sparse_problem
from ipusim.plan.static_executed_grad_w import (
    StaticGradientCycles,
    amp_columns,
    executed_static_grad_w,
    gradient_codelet,
    interval_cases,
)
from ipusim.plan.static_plan import StaticSparsePlan, plan_static_sparse

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _NoOverheads:
    exchange_phase_cycles: int = 0
    compute_set_cycles: int = 0


@dataclass(frozen=True, slots=True)
class StaticGradientPlan:
    """How the gradient of a static sparse weight is computed.

    Attributes
    ----------
    problem : GradientProblem
    forward : StaticSparsePlan
        Where the weight's non-zeros lie.
    amp : bool
        The vertices are those of the AMP, for which the operands are transposed.
    estimate : StaticGradientCycles
        Work without the overhead of phases.
    """

    problem: GradientProblem
    forward: StaticSparsePlan
    amp: bool
    estimate: StaticGradientCycles

    @property
    def stored_transposed(self) -> bool:
        """What is laid out is the transpose of the weight as it is stored."""
        return self.forward.problem.weight_transposed

    @property
    def cycles(self) -> int:
        """Estimated cycles."""
        return self.estimate.total

    @property
    def tiles_used(self) -> int:
        """Number of tiles that multiply."""
        return self.forward.tiles_used

    @property
    def temporary_bytes(self) -> int:
        """Gathered rows, their transposes and the sums, on the fullest tile while it multiplies."""
        partition, most = self.forward.partition, 0
        size, data_bytes = partition.plan.block_size, number_format(self.problem.dtype).bytes
        for layout, n_cols in interval_cases(partition):
            copied = amp_columns(partition.plan, n_cols) if self.amp else 0
            lines = (np.diff(layout.rows_indptr) + layout.n_cols) * ((n_cols + copied) * size * data_bytes)
            sums = np.diff(layout.blocks_indptr) * size**2 * number_format(self.problem.partials_format).bytes
            most = max(most, int((lines + sums).max(initial=0)))
        return most

    def sums(self) -> SparseSums:
        """Return how the products are added up: interval by interval, and rounded at the end of each."""
        n, edges = self.problem.n, self.forward.partition.col_edges
        bounds = sorted({0, n, *(min(n, int(edge)) for edge in edges)})
        return SparseSums(np.arange(n), tuple(bounds), n, 1, len(bounds) - 1, ordered=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        forward = self.forward.to_dict()
        return {
            "strategy": "static_sparse",
            "partition": forward["partition"],
            "vertex": gradient_codelet(self.forward.split),
            "mode": "static",
            "block_size": forward["block_size"],
            "density": forward["density"],
            "pass": "weight gradient",
            "amp": self.amp,
            "partials": self.problem.partials_format,
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {name: value for name, value in asdict(self.estimate).items() if value},
            "temporary_bytes": self.temporary_bytes,
            "memory_bound_bytes": None,
            "relaxed": self.forward.relaxed,
            "runners_up": [],
        }


@dataclass(frozen=True, slots=True)
class GatheredLines:
    """A dense operand of the gradient, as the vertices of every column interval see it.

    Attributes
    ----------
    storage : str
        Where its values are.
    shape : tuple of three int
        Shape in which the boxes are meant.
    box : int64 array [pieces, 6]
        The columns of the intervals, cut at the edges of the matrices of a batch.
    segments : int64 array [n_intervals + 1]
        Pieces of each interval.
    flipped : bool
        Its rows are columns of the matrix.
    """

    storage: str
    shape: tuple[int, int, int]
    box: IntArray
    segments: IntArray
    flipped: bool


@dataclass(frozen=True, slots=True)
class RunGradient:
    """What the vertices of a static weight gradient share.

    Attributes
    ----------
    plan : StaticGradientPlan
    rows, cols : GatheredLines
        Operands with the rows and the columns of what is laid out.
    """

    plan: StaticGradientPlan
    rows: GatheredLines
    cols: GatheredLines

    def sums(self) -> SparseSums:
        """Return how the products of the whole gradient are added up."""
        return self.plan.sums()


def plan_static_gradient(
    graph: Graph, problem: GradientProblem, chip: Chip, options: PlanOptions, plans: Mapping[str, object]
) -> StaticGradientPlan | None:
    """Return the plan of the gradient of a static weight, on the placement of the weight's forward product.

    Parameters
    ----------
    graph : Graph
    problem : GradientProblem
    chip : Chip
    options : PlanOptions
    plans : mapping of op name to plan
        Found so far.

    Returns
    -------
    StaticGradientPlan or None
        None if the weight itself has no plan.
    """
    forward = _forward_plan(graph, problem, chip, options, plans)
    return None if forward is None else gradient_on(problem, forward, chip)


def gradient_on(problem: GradientProblem, forward: StaticSparsePlan, chip: Chip) -> StaticGradientPlan:
    """Return the plan of the gradient on a given placement, with the faster vertices."""
    ways = (False, True) if forward.split.block_size > 1 else (False,)
    costs = [
        executed_static_grad_w(forward.partition, chip, _NoOverheads(), problem.partials_format, amp) for amp in ways
    ]
    best = min(range(len(ways)), key=lambda way: costs[way].total)
    return StaticGradientPlan(problem, forward, ways[best], costs[best])


def _forward_plan(
    graph: Graph, problem: GradientProblem, chip: Chip, options: PlanOptions, plans: Mapping[str, object]
) -> StaticSparsePlan | None:
    """Return the plan of the product that decides where the weight lies; of one like it if there is none."""
    op = forward_product(graph, problem.sparse)
    wanted = None if op is None else sparse_problem(graph, op)
    if op is None or wanted is None or wanted.n != problem.n:
        wanted = SparseProblem(
            problem.sparse,
            problem.right,
            problem.output,
            problem.m,
            problem.k,
            problem.n,
            problem.blocks,
            problem.sparsity,
            problem.dtype,
            problem.partials_format,
            weight_transposed=False,
            dense_transposed=problem.right_flipped,
            output_transposed=False,
        )
        return plan_static_sparse(wanted, chip, options)
    known = plans.get(op.name)
    return known if isinstance(known, StaticSparsePlan) else plan_static_sparse(wanted, chip, options)
