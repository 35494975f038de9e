"""Where each non-zero block of a static sparse matmul goes: the plan applied to the real pattern.

Inside a band the blocks are listed row by row and cut into equal runs, one for each tile of the band. A row may
straddle two tiles, and occurs once more in every band: all its partial sums are added up later. Column intervals with
the same number of tiles share one :class:`RunLayout`. Source: reference/sparse.md section 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.kernels.jit import compiled
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_search import StaticPlan, tile_grain, vector_grain
from ipusim.plan.static_split import band_edges, band_tiles, col_intervals, interval_tiles
from ipusim.sparse.blocks import Blocks

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RunLayout:
    """How the blocks are dealt to the tiles of one column interval. A run is what one tile gets.

    Attributes
    ----------
    n_tiles : int
        Tiles of the interval.
    tile : int64 array [n_runs]
        Tile of each run, counted from the first tile of the interval.
    band : int64 array [n_runs]
    blocks_indptr : int64 array [n_runs + 1]
        The blocks of a run are ``blocks_indptr[run]:blocks_indptr[run + 1]`` in the device order.
    rows_indptr : int64 array [n_runs + 1]
        The partial rows of a run, in the order in which they stand on the tile.
    rows : int64 array [n_partial_rows]
        Place (permuted index) of the block row of each partial row.
    row_blocks : int64 array [n_partial_rows]
        Blocks that each partial row adds up.
    n_cols : int64 array [n_runs]
        Different block columns on the tile: the block rows of the dense operand that it gathers.
    """

    n_tiles: int
    tile: IntArray
    band: IntArray
    blocks_indptr: IntArray
    rows_indptr: IntArray
    rows: IntArray
    row_blocks: IntArray
    n_cols: IntArray

    @property
    def n_runs(self) -> int:
        """Tiles with blocks."""
        return int(self.tile.size)


@dataclass(frozen=True, slots=True)
class StaticPartition:
    """A static sparse matmul on the tiles.

    Attributes
    ----------
    plan : StaticPlan
    order : int64 array [n_blocks]
        Index into the canonical list of blocks for each place of the device order.
    rows, cols : int64 array [n_blocks]
        Places (permuted block indices) in the device order.
    band_edges : int64 array [n_bands + 1]
        First column place of each band, and the end of the last.
    col_edges, tile_edges : int64 array [n_intervals + 1]
        First column and first tile of each column interval, and the ends.
    layout_of : int64 array [n_intervals]
        Which layout each interval uses.
    layouts : tuple of RunLayout
    """

    plan: StaticPlan
    order: IntArray
    rows: IntArray
    cols: IntArray
    band_edges: IntArray
    col_edges: IntArray
    tile_edges: IntArray
    layout_of: IntArray
    layouts: tuple[RunLayout, ...]

    @property
    def n_intervals(self) -> int:
        """Intervals of the columns of the dense operand."""
        return int(self.layout_of.size)


def partition_static(blocks: Blocks, plan: StaticPlan, chip: SparseChip) -> StaticPartition:
    """Apply `plan` to the pattern it was made for."""
    n_rows, n_cols = blocks.grid
    row_place, col_place = _places(plan.row_order), _places(plan.col_order)
    col_counts = blocks.col_counts[plan.col_order]
    edges = np.zeros(plan.n_bands + 1, np.int64)
    cumulative = np.concatenate([np.zeros(1, np.int64), np.cumsum(col_counts, dtype=np.int64)])
    edges = edges[: band_edges(cumulative, plan.n_bands, edges) + 1]
    order = np.empty(blocks.n_blocks, np.int64)
    rows, cols = np.empty_like(order), np.empty_like(order)
    band_of_col = np.searchsorted(edges[1:], col_place, side="right")
    if blocks.n_blocks:
        compiled(device_order)(
            blocks.rows,
            blocks.cols,
            row_place,
            col_place,
            band_of_col,
            cumulative[edges[:-1]],
            n_rows,
            _straight(plan),
            order,
            rows,
            cols,
        )
    grain = tile_grain(chip)
    col_edges = np.zeros(plan.n_splits + 1, np.int64)
    tile_edges = np.zeros(plan.n_splits + 1, np.int64)
    n_intervals = col_intervals(plan.n_padded, plan.n_splits, vector_grain(plan.dtype), col_edges)
    interval_tiles(col_edges, n_intervals, chip.n_tiles, grain, tile_edges)
    sizes, layout_of = np.unique(np.diff(tile_edges[: n_intervals + 1]), return_inverse=True)
    band_blocks = np.diff(cumulative[edges])
    layouts = tuple(_layout(rows, cols, band_blocks, int(size), grain, n_cols) for size in sizes)
    return StaticPartition(
        plan,
        order,
        rows,
        cols,
        edges,
        col_edges[: n_intervals + 1],
        tile_edges[: n_intervals + 1],
        layout_of.astype(np.int64),
        layouts,
    )


def gathered_cols(partition: StaticPartition, layout: RunLayout) -> tuple[IntArray, IntArray]:
    """Return which block rows of the dense operand each run needs.

    Returns
    -------
    indptr : int64 array [n_runs + 1]
    cols : int64 array [sum of layout.n_cols]
        Column places in ascending order within each run.
    """
    n_places = partition.plan.col_order.size
    run = np.repeat(np.arange(layout.n_runs), np.diff(layout.blocks_indptr))
    cols = np.unique(run * n_places + partition.cols[: run.size]) % n_places
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(layout.n_cols)]), cols


def _places(order: IntArray) -> IntArray:
    places = np.empty_like(order)
    places[order] = np.arange(order.size)
    return places


def _straight(plan: StaticPlan) -> bool:
    """Return whether rows and columns kept their order, so that the canonical list is sorted already."""
    return bool(np.all(np.diff(plan.row_order) > 0) and np.all(np.diff(plan.col_order) > 0))


def _layout(rows: IntArray, cols: IntArray, band_blocks: IntArray, n_tiles: int, grain: int, n_cols: int) -> RunLayout:
    tiles = np.zeros(band_blocks.size, np.int64)
    band_tiles(band_blocks, band_blocks.size, n_tiles, grain, tiles)
    per_tile = -(-band_blocks // np.maximum(tiles, 1))
    n_runs = -(-band_blocks // np.maximum(per_tile, 1))
    band = np.repeat(np.arange(band_blocks.size), n_runs)
    index = np.arange(band.size) - np.repeat(np.cumsum(n_runs) - n_runs, n_runs)
    first_block, first_tile = np.cumsum(band_blocks) - band_blocks, np.cumsum(tiles) - tiles
    starts = first_block[band] + index * per_tile[band]
    indptr = np.concatenate([starts, np.array([rows.size])]).astype(np.int64)
    rows_indptr, cols_of_run = np.zeros(band.size + 1, np.int64), np.zeros(band.size, np.int64)
    partial_rows, row_blocks = np.empty(rows.size, np.int64), np.empty(rows.size, np.int64)
    count = compiled(count_runs)(rows, cols, indptr, n_cols, rows_indptr, partial_rows, row_blocks, cols_of_run)
    return RunLayout(
        n_tiles,
        first_tile[band] + index,
        band,
        indptr,
        rows_indptr,
        partial_rows[:count].copy(),
        row_blocks[:count].copy(),
        cols_of_run,
    )


def device_order(
    block_rows: Any,
    block_cols: Any,
    row_place: Any,
    col_place: Any,
    band_of_col: Any,
    positions: Any,
    n_rows: int,
    straight: bool,
    order: Any,
    rows: Any,
    cols: Any,
) -> None:
    """List the blocks by band, then row, then column (places, that is after permutation).

    Parameters
    ----------
    block_rows, block_cols : int32 array [n_blocks]
        Canonical order.
    row_place, col_place : int64 array [block rows], [block columns]
        Permuted index of each row and column.
    band_of_col : int64 array [block columns]
        Band of each column that has blocks.
    positions : int64 array [n_bands]
        Where each band starts in the list; changed.
    straight : bool
        The permutations are identities.
    order, rows, cols : int64 array [n_blocks]
        Filled.
    """
    n_blocks = len(block_rows)
    n_cols = len(col_place)
    sequence = np.empty(0 if straight else n_blocks, np.int64)
    if not straight:
        by_col = np.empty(n_blocks, np.int64)
        starts = np.zeros(n_cols + 1, np.int64)
        for block in range(n_blocks):
            starts[col_place[block_cols[block]] + 1] += 1
        for col in range(n_cols):
            starts[col + 1] += starts[col]
        for block in range(n_blocks):
            col = col_place[block_cols[block]]
            by_col[starts[col]] = block
            starts[col] += 1
        row_starts = np.zeros(n_rows + 1, np.int64)
        for block in range(n_blocks):
            row_starts[row_place[block_rows[block]] + 1] += 1
        for row in range(n_rows):
            row_starts[row + 1] += row_starts[row]
        for position in range(n_blocks):
            block = by_col[position]
            row = row_place[block_rows[block]]
            sequence[row_starts[row]] = block
            row_starts[row] += 1
    for place in range(n_blocks):
        block = place if straight else sequence[place]
        band = band_of_col[block_cols[block]]
        target = positions[band]
        positions[band] = target + 1
        order[target] = block
        rows[target] = row_place[block_rows[block]]
        cols[target] = col_place[block_cols[block]]


def count_runs(
    rows: Any,
    cols: Any,
    indptr: Any,
    n_cols: int,
    rows_indptr: Any,
    partial_rows: Any,
    row_blocks: Any,
    cols_of_run: Any,
) -> int:
    """Find the partial rows and count the different columns of each run; return how many partial rows there are.

    Parameters
    ----------
    rows, cols : int64 array [n_blocks]
        Device order: rows ascend within a run.
    indptr : int64 array [n_runs + 1]
    rows_indptr : int64 array [n_runs + 1]
        Filled, like the other output arrays.
    partial_rows, row_blocks : int64 array [n_blocks]
        Filled as far as there are partial rows.
    cols_of_run : int64 array [n_runs]
    """
    seen = np.full(n_cols, -1, np.int64)
    count = 0
    for run in range(len(indptr) - 1):
        last = -1
        for block in range(indptr[run], indptr[run + 1]):
            if rows[block] != last:
                last = rows[block]
                partial_rows[count] = last
                row_blocks[count] = 0
                count += 1
            row_blocks[count - 1] += 1
            if seen[cols[block]] != run:
                seen[cols[block]] = run
                cols_of_run[run] += 1
        rows_indptr[run + 1] = count
    return count


def sources_of_rows(layout: RunLayout, n_rows: int) -> IntArray:
    """Return on how many tiles each block row place has a partial row: int64 array [n_rows]."""
    return np.bincount(layout.rows, minlength=n_rows).astype(np.int64)


def single_rows(layout: RunLayout, n_rows: int) -> IntArray:
    """Return how many partial rows of each run have no other source: int64 array [n_runs]."""
    alone = sources_of_rows(layout, n_rows)[layout.rows] == 1
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(alone, dtype=np.int64)])
    counts: IntArray = before[layout.rows_indptr[1:]] - before[layout.rows_indptr[:-1]]
    return counts
