"""Why a dynamic sparse product cannot run on a chip although there is memory: its buckets do not hold the pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ipusim.chip.model import Chip
from ipusim.cost.dynamic_non_zeros import ROW_WORDS, stored_header_words
from ipusim.plan.dynamic_partition import BucketOverflowError, Placement
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.plan.dynamic_problem import DATA_BYTES
from ipusim.plan.dynamic_search import WORD_LIMIT


class Named(Protocol):
    """A dynamic tensor of a graph, and how long the rows of the dense operands are."""

    @property
    def sparse(self) -> str:
        """Tensor of the graph."""

    @property
    def k(self) -> int:
        """Columns of the tensor."""

    @property
    def n(self) -> int:
        """Columns of the dense operands."""

    @property
    def dtype(self) -> str:
        """Number format."""


@dataclass(frozen=True, slots=True)
class BucketShortage:
    """Why a pattern does not fit the buckets of its plan, or no plan can have buckets.

    Attributes
    ----------
    constraint : str
        Which bucket, and what finds no room in it.
    kind : str
        ``overflow`` (the non-zeros do not fit the buckets of all tiles), ``declared`` (there are more of them than were
        declared) or ``reach`` (the 16-bit offsets of the metadata do not reach over a tile's dense operand).
    demand_bytes, capacity_bytes : int
        What is needed and what there is: in all buckets, or as the furthest offset.
    """

    constraint: str
    kind: str
    demand_bytes: int
    capacity_bytes: int


def overflow_shortage(problem: Named, plan: DynamicPlan, error: BucketOverflowError) -> BucketShortage:
    """Return what is missing in the buckets of a plan that a pattern overflowed."""
    block_bytes = plan.problem.block_size**2 * plan.problem.data_bytes
    capacity = plan.problem.non_zero_groups * block_bytes if error.declared else plan.n_tiles_used * plan.bucket_bytes
    return BucketShortage(
        f"bucket of {problem.sparse}: {error}",
        "declared" if error.declared else "overflow",
        capacity + error.n_blocks * block_bytes,
        capacity,
    )


def reach_shortage(problem: Named, chip: Chip) -> BucketShortage:
    """Return how far offsets would have to reach at least: over the operand of a tile, cut as often as possible."""
    row_bytes = problem.n * DATA_BYTES[problem.dtype]
    reach = min(
        (-(-problem.k // (chip.n_tiles // parts)) - 1) * -(-row_bytes // parts)
        for parts in range(1, min(chip.n_tiles, problem.n) + 1)
    )
    return BucketShortage(
        f"bucket of {problem.sparse}: the offsets of single elements have 16 bits, which reach over no tile's part "
        "of the dense operand; blocks of 4, 8 or 16 have no such limit",
        "reach",
        max(reach, WORD_LIMIT + 1),
        WORD_LIMIT,
    )


def word_shortage(problem: Named, placement: Placement) -> BucketShortage | None:
    """Return that the metadata of a placement cannot be written in 16-bit words, or None if they can."""
    largest = largest_word(placement)
    if largest <= WORD_LIMIT:
        return None
    message = f"bucket of {problem.sparse}: its metadata have to hold {largest}, their words have 16 bits"
    return BucketShortage(message, "reach", largest, WORD_LIMIT)


def largest_word(placement: Placement) -> int:
    """Return the largest number that the metadata of a placement hold: a length, an offset or a count of columns."""
    plan = placement.plan
    problem = plan.problem
    sizes = placement.piece_stop - placement.piece_start
    header = stored_header_words(problem.block_size, problem.grad_w, problem.workers)
    lengths = header + ROW_WORDS * placement.piece_rows + sizes
    offsets = (plan.x_groups - 1) * problem.block_size, (plan.y_groups - 1) * plan.dense_unit
    return max(int(lengths.max(initial=0)), *offsets, plan.z if problem.block_size == 1 else 0)
