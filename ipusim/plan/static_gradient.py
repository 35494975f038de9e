"""The plan of the gradient of a static sparse weight: on the tiles where its forward product has the non-zeros.

So the gradient lies where the weight lies, and an update moves neither. Every tile gathers the rows of the dense
operands that its non-zeros meet, over its interval of the columns; sums of several intervals are added up afterwards.
Where that is too much at once, the interval is cut into serial slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.ir.graph import Graph
from ipusim.plan.dynamic_placing import forward_product
from ipusim.plan.gradient_problem import GradientProblem
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseProblem, SparseSums, sparse_problem
from ipusim.plan.static_executed_grad_w import (
    StaticGradientCycles,
    executed_static_grad_w,
    gradient_codelet,
)
from ipusim.plan.static_memory import reserved_bytes
from ipusim.plan.static_partition import StaticPartition
from ipusim.plan.static_plan import StaticSparsePlan, plan_static_sparse
from ipusim.plan.static_slices import slice_bytes, slice_edges, slice_numbers

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
    n_slices : int
        Serial slices of the columns.
    estimate : StaticGradientCycles
        Work without the overhead of phases.
    temporary_bytes : int
        Gathered rows of a slice, their transposes and the sums on a tile.
    memory_bound_bytes : int
        Temporary bytes that it was to keep within; see :func:`gradient_on`.
    """

    problem: GradientProblem
    forward: StaticSparsePlan
    amp: bool
    n_slices: int
    estimate: StaticGradientCycles
    temporary_bytes: int
    memory_bound_bytes: int

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

    def edges(self) -> IntArray:
        """Return where the slices of every column interval start and end: int64 array [n_slices + 1, n_intervals]."""
        return slice_edges(self.forward.partition, self.n_slices, self.amp)

    def sums(self) -> SparseSums:
        """Return how the products are added up: slice by slice, and rounded at the end of each."""
        n = self.problem.n
        bounds = sorted({0, n, *(min(n, edge) for edge in self.edges().reshape(-1).tolist())})
        return SparseSums(np.arange(n), tuple(bounds), n, 1, len(bounds) - 1, ordered=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        forward, relaxed = self.forward.to_dict(), self.temporary_bytes > self.memory_bound_bytes
        return {
            "strategy": "static_sparse",
            "partition": {**forward["partition"], "s_n": self.n_slices},
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
            "memory_bound_bytes": None if relaxed else self.memory_bound_bytes,
            "relaxed": relaxed,
            "runners_up": [],
        }


@dataclass(frozen=True, slots=True)
class GatheredLines:
    """A dense operand of the gradient, as the vertices of every column interval see it in one slice.

    Attributes
    ----------
    storage : str
        Where its values are.
    shape : tuple of three int
        Shape in which the boxes are meant.
    box : int64 array [pieces, 6]
        The columns of the slice in the intervals, cut at the edges of the matrices of a batch.
    segments : int64 array [n_intervals + 1]
        Pieces of each interval; none where it has fewer slices.
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
    """What the vertices of a static weight gradient share in one slice.

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
    problem: GradientProblem, forward: StaticSparsePlan, chip: Chip, options: PlanOptions
) -> StaticGradientPlan | None:
    """Return the plan of the gradient of a static weight, on the placement of the weight's forward product.

    Returns
    -------
    StaticGradientPlan or None
        None if the bound on memory must not be relaxed and nothing meets it.
    """
    bound = int(options.available_memory_proportion * chip.tile_sram_bytes)
    return gradient_on(problem, forward, chip, bound, options.may_relax)


def gradient_on(
    problem: GradientProblem, forward: StaticSparsePlan, chip: Chip, bound_bytes: int, may_relax: bool = True
) -> StaticGradientPlan | None:
    """Return the plan of the gradient on a given placement, with the faster vertices.

    There are as few slices as keep within the bound. Where it may be relaxed it only counts if the columns in one
    piece have no room at all, beside code and stacks; and where no number of slices keeps within it, there are as many
    as there can be.

    Parameters
    ----------
    problem : GradientProblem
    forward : StaticSparsePlan
    chip : Chip
    bound_bytes : int
        Temporary bytes on a tile.
    may_relax : bool

    Returns
    -------
    StaticGradientPlan or None
        None if the bound must not be relaxed, and nothing keeps within it.
    """
    partition, partials = forward.partition, problem.partials_format
    found: list[StaticGradientPlan] = []
    for amp in (False, True) if forward.split.block_size > 1 else (False,):
        n_slices = _fewest_slices(partition, partials, amp, chip, bound_bytes, may_relax)
        if n_slices:
            cost = executed_static_grad_w(partition, chip, _NoOverheads(), partials, amp, n_slices)
            n_bytes = slice_bytes(partition, n_slices, partials, amp, chip.n_tiles)
            found.append(StaticGradientPlan(problem, forward, amp, n_slices, cost, n_bytes, bound_bytes))
    return min(found, key=lambda plan: plan.cycles, default=None)


def _fewest_slices(
    partition: StaticPartition, partials: str, amp: bool, chip: Chip, bound_bytes: int, may_relax: bool
) -> int:
    """Return the number of slices for one kind of vertices, or 0 if there is none."""
    room = chip.tile_sram_bytes - reserved_bytes(chip)
    if may_relax and slice_bytes(partition, 1, partials, amp, chip.n_tiles) <= room:
        return 1
    number = 0
    for number in slice_numbers(partition, amp):
        if slice_bytes(partition, number, partials, amp, chip.n_tiles) <= bound_bytes:
            return number
    return number if may_relax else 0


def forward_plan(
    graph: Graph,
    problem: GradientProblem,
    chip: Chip,
    options_of: Callable[[str], PlanOptions],
    plans: Mapping[str, object],
) -> StaticSparsePlan | None:
    """Return the plan of the product that decides where the weight lies; of one like it if there is none.

    Parameters
    ----------
    graph : Graph
    problem : GradientProblem
    chip : Chip
    options_of : callable
        Returns the options of an op; without a product, those that every op has.
    plans : mapping of op name to plan
        Found so far.

    Returns
    -------
    StaticSparsePlan or None
        None if the weight has no plan.
    """
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
        return plan_static_sparse(wanted, chip, options_of(""))
    known = plans.get(op.name)
    return known if isinstance(known, StaticSparsePlan) else plan_static_sparse(wanted, chip, options_of(op.name))
