"""The host's part of a dynamic sparse product: put an actual pattern into the buckets of the plan.

The matrix is cut into the plan's regions of rows and columns. The non-zeros of a region, row by row, are divided evenly
over the tiles that share the region. Buckets that overflow give up rows to others (:mod:`ipusim.plan.dynamic_spill`);
what lies outside its own region has to be propagated at run time, step by step, which the overflow extent counts.
Source: reference/sparse.md section 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.dynamic_non_zeros import ROW_WORDS, stored_header_words
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.plan.dynamic_spill import rebalance, strip_overfull
from ipusim.sparse.blocks import Blocks

IntArray = NDArray[np.int64]

INTERPRETED_MOVES = 20_000
"""Overfull buckets times tiles up to which spilling is not worth compiling."""


class BucketOverflowError(ValueError):
    """The pattern does not fit the buckets of the plan.

    Parameters
    ----------
    message : str
        What does not fit, and what would help.
    n_blocks : int
        Non-zero blocks that found no room.
    declared : bool
        There are more of them than were declared, so that no larger buckets would help.
    """

    def __init__(self, message: str, n_blocks: int, declared: bool = False) -> None:
        super().__init__(message)
        self.n_blocks = n_blocks
        self.declared = declared


@dataclass(frozen=True, slots=True)
class Placement:
    """Where every non-zero of a pattern lies.

    Tiles are numbered ``(x * p_k + y) * p_n + z`` here. A piece is a run of non-zeros of one region in one bucket: a
    sub-group of the metadata.

    Attributes
    ----------
    plan : DynamicPlan
    blocks : Blocks
        The pattern, in blocks of the device.
    order : int64 array [n_blocks]
        Positions in `blocks`, region by region and row by row.
    row_index : int64 array [n_blocks]
        Ordinal of the row of a region of each non-zero in that order.
    row_starts : int64 array [rows + 1]
        Where each row of each region starts in that order.
    piece_bucket, piece_home : int64 array [pieces]
        Tile that stores the piece, and tile it would belong to; ascending by the former. Both tiles are in the same
        region when the piece did not leave it.
    piece_start, piece_stop : int64 array [pieces]
        Run in `order`.
    extent : tuple of three int
        Overflow extent ``(ex, ey, ez)``: how many regions of rows, of columns, and tiles of a region a bucket visits.
    """

    plan: DynamicPlan
    blocks: Blocks
    order: IntArray
    row_index: IntArray
    row_starts: IntArray
    piece_bucket: IntArray
    piece_home: IntArray
    piece_start: IntArray
    piece_stop: IntArray
    extent: tuple[int, int, int]

    @property
    def propagation_steps(self) -> int:
        """Steps beyond the first distribution: 0 when everything stays in its region."""
        return self.extent[0] * self.extent[1] * self.extent[2] - self.plan.p_n

    @property
    def piece_rows(self) -> IntArray:
        """Rows with non-zeros in each piece: int64 array [pieces]."""
        return self.row_index[self.piece_stop - 1] - self.row_index[self.piece_start] + 1

    @property
    def bucket_groups(self) -> IntArray:
        """Non-zero groups in each bucket: int64 array [tiles used]."""
        sizes = self.piece_stop - self.piece_start
        return np.bincount(self.piece_bucket, sizes, self.plan.n_tiles_used).astype(np.int64)

    def slots(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return bucket, place in the bucket and position in `order` of every non-zero: int64 arrays [n_blocks]."""
        sizes = self.piece_stop - self.piece_start
        first = offsets_in_bucket(self.piece_bucket, sizes)
        piece = np.repeat(np.arange(sizes.size), sizes)
        nth = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.piece_bucket[piece], first[piece] + nth, self.piece_start[piece] + nth

    @property
    def bucket_words(self) -> IntArray:
        """Words of metadata in each bucket, without the terminator: int64 array [tiles used]."""
        words = _header(self.plan) + ROW_WORDS * self.piece_rows + self.piece_stop - self.piece_start
        return np.bincount(self.piece_bucket, words, self.plan.n_tiles_used).astype(np.int64)


def offsets_in_bucket(bucket: IntArray, sizes: IntArray) -> IntArray:
    """Return where each piece starts in its bucket, from the buckets (ascending) and sizes: int64 arrays [pieces]."""
    before = np.cumsum(sizes) - sizes
    return before - before[np.searchsorted(bucket, bucket)]


def _header(plan: DynamicPlan) -> int:
    return stored_header_words(plan.problem.block_size, plan.problem.grad_w, plan.problem.workers)


def partition_pattern(plan: DynamicPlan, blocks: Blocks) -> Placement:
    """Return where the non-zeros of `blocks` go.

    Parameters
    ----------
    plan : DynamicPlan
        The plan whose buckets are filled.
    blocks : Blocks
        Canonical pattern in the plan's block size.

    Raises
    ------
    BucketOverflowError
        When the pattern has more non-zeros than were declared, or does not fit the buckets even after spilling.
    ValueError
        When shape or block size are not the plan's.
    """
    problem = plan.problem
    if blocks.grid != (problem.m_groups, problem.k_groups) or blocks.block_size != problem.block_size:
        raise ValueError(
            f"the plan is for {problem.m_groups} x {problem.k_groups} blocks of {problem.block_size}, "
            f"the pattern has {blocks.grid[0]} x {blocks.grid[1]} of {blocks.block_size}"
        )
    if blocks.n_blocks > problem.non_zero_groups:
        raise BucketOverflowError(
            f"the pattern has {blocks.n_blocks} non-zero blocks, {problem.non_zero_groups} were declared",
            blocks.n_blocks - problem.non_zero_groups,
            declared=True,
        )
    counts, order, row_index, row_starts = _by_region(plan, blocks)
    ends = np.cumsum(counts)
    shares = np.arange(plan.p_n + 1, dtype=np.int64)
    cuts = (ends - counts)[:, None] + counts[:, None] * shares // plan.p_n
    starts, over_stops = cuts[:, :-1].ravel(), cuts[:, 1:].ravel()
    stops = over_stops.copy()

    limits = (_header(plan), plan.bucket_groups, plan.bucket_words - 1)
    compiled(strip_overfull)(starts, stops, row_index, row_starts, *limits)
    tiles = np.flatnonzero(stops > starts)
    pieces = np.stack([tiles, tiles, starts[tiles], stops[tiles]], axis=1)
    if (stops != over_stops).any():
        moved = _spill(plan, starts, stops, over_stops, row_index, row_starts, limits)
        pieces = np.concatenate([pieces, moved])
        pieces = pieces[np.argsort(pieces[:, 0], kind="stable")]
    bucket, home, start, stop = (np.ascontiguousarray(column) for column in pieces.T)
    extent = _extent(plan, bucket, home)
    return Placement(plan, blocks, order, row_index, row_starts, bucket, home, start, stop, extent)


def _by_region(plan: DynamicPlan, blocks: Blocks) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return counts of the regions, and order, row index and starts of rows as in :class:`Placement`."""
    problem = plan.problem
    row_part = np.arange(problem.m_groups) // plan.x_groups * plan.p_k
    col_part = np.arange(problem.k_groups) // plan.y_groups
    counts = np.zeros(plan.p_m * plan.p_k, np.int64)
    order, row_index = np.empty((2, blocks.n_blocks), np.int64)
    row_starts = np.empty(blocks.n_blocks + 1, np.int64)
    n_rows = compiled(sort_by_region)(
        blocks.rows, blocks.cols, row_part, col_part, counts, order, row_index, row_starts
    )
    return counts, order, row_index, row_starts[: n_rows + 1].copy()


def sort_by_region(
    rows: NDArray[np.int32],
    cols: NDArray[np.int32],
    row_part: IntArray,
    col_part: IntArray,
    counts: IntArray,
    order: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
) -> int:
    """Sort non-zeros by region without changing their order otherwise, and number the rows of all regions.

    Parameters
    ----------
    rows, cols : int32 array [non-zeros]
        Ascending by row.
    row_part, col_part : int64 array [rows], [cols]
        Their sum is the region.
    counts : int64 array [regions]
        Zeros; filled with the non-zeros of each region.
    order, row_index : int64 array [non-zeros]
        Filled.
    row_starts : int64 array [non-zeros + 1]
        Filled up to the number of rows.

    Returns
    -------
    int
        Rows with non-zeros in all regions together.
    """
    n_regions = len(counts)
    last = np.full(n_regions, -1, np.int64)
    lines = np.zeros(n_regions, np.int64)
    for i in range(len(rows)):
        region = row_part[rows[i]] + col_part[cols[i]]
        counts[region] += 1
        if last[region] != rows[i]:
            last[region] = rows[i]
            lines[region] += 1
    place = np.cumsum(counts) - counts
    line = np.cumsum(lines) - lines - 1
    last[:] = -1
    for i in range(len(rows)):
        region = row_part[rows[i]] + col_part[cols[i]]
        if last[region] != rows[i]:
            last[region] = rows[i]
            line[region] += 1
            row_starts[line[region]] = place[region]
        order[place[region]] = i
        row_index[place[region]] = line[region]
        place[region] += 1
    n_rows = int(lines.sum())
    row_starts[n_rows] = len(rows)
    return n_rows


def _spill(
    plan: DynamicPlan,
    starts: IntArray,
    stops: IntArray,
    over_stops: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
    limits: tuple[int, int, int],
) -> IntArray:
    tiles = plan.n_tiles_used
    scopes = np.array([plan.p_n, plan.p_n * plan.p_k, tiles], np.int64)
    overfull = int((stops != over_stops).sum())
    # a few rows are moved sooner than the loops are compiled
    move = rebalance if overfull * tiles <= INTERPRETED_MOVES else compiled(rebalance)
    n_pieces, left, capacity = -1, 0, 8 * tiles
    while n_pieces < 0:
        pieces = np.empty((capacity, 4), np.int64)
        n_pieces, left = move(starts, stops, over_stops, row_index, row_starts, *limits, scopes, pieces)
        capacity *= 4
    if left:
        raise BucketOverflowError(
            f"{left} of {row_index.size} non-zero blocks do not fit the buckets of {tiles} tiles "
            f"({plan.bucket_groups} blocks and {plan.bucket_words} words of metadata each): "
            f"raise the oversize above {plan.problem.oversize:g}, or declare a higher density",
            left,
        )
    return pieces[:n_pieces]


def _extent(plan: DynamicPlan, bucket: IntArray, home: IntArray) -> tuple[int, int, int]:
    if not bucket.size:
        return 1, 1, plan.p_n
    x, y = (bucket // plan.p_n // plan.p_k, bucket // plan.p_n % plan.p_k)
    home_x, home_y = (home // plan.p_n // plan.p_k, home // plan.p_n % plan.p_k)
    distance_x, distance_y = (home_x - x) % plan.p_m, (home_y - y) % plan.p_k
    furthest_x = int(distance_x.max())
    if furthest_x:
        return furthest_x + 1, plan.p_k, plan.p_n
    return 1, int(distance_y.max()) + 1, plan.p_n
