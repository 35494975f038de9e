"""The plan of a static sparse matmul: an exhaustive search over column intervals and bands.

Rows are not searched over: inside a band they are cut implicitly, by dealing out the row-major list of blocks. The
least estimated cycles win among the candidates that fit in their share of the memory; of equal ones the first, with
intervals in the outer loop. Source: reference/sparse.md sections 1.1, 1.2, 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div, round_up
from ipusim.cost.sparse_units import SparseUnits, sparse_units
from ipusim.kernels.jit import compiled
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_estimate import CYCLES, MEMORY, N_TERMS, estimate_static
from ipusim.plan.static_split import band_edges, band_tiles, col_intervals, interval_tiles
from ipusim.sparse.blocks import Blocks

IntArray = NDArray[np.int64]

MOST_INTERVALS = 32
MOST_BANDS = 128
REJECT_BELOW = 0.1
"""Rows and columns with at most this share of the average count do not count for planning."""


@dataclass(frozen=True, slots=True)
class StaticPlan:
    """How a static sparse matmul is split.

    Attributes
    ----------
    shape : tuple of three int
        m, k and n in elements.
    block_size : int
    dtype, partials : str
        ``float16`` or ``float32``: formats of the data and of the partial sums.
    n_padded : int
        Columns of the dense operand, rounded up to the grain.
    n_splits, n_bands : int
        Column intervals and bands asked for; cutting may give fewer.
    row_order, col_order : int64 array [block rows], [block columns]
        The block row (column) at each place after pre-processing; sparse ones come last.
    planned_rows, planned_cols : int
        How many of them counted for planning.
    terms : int64 array [N_TERMS]
        The estimate, in the order of :mod:`ipusim.plan.static_estimate`.
    n_m : bool
        The pattern is one that the chip's AMP skips.
    """

    shape: tuple[int, int, int]
    block_size: int
    dtype: str
    partials: str
    n_padded: int
    n_splits: int
    n_bands: int
    row_order: IntArray
    col_order: IntArray
    planned_rows: int
    planned_cols: int
    terms: IntArray
    n_m: bool = False


def vector_grain(dtype: str) -> int:
    """Return the elements of a 64-bit vector: the grain of the columns."""
    return 2 if dtype == "float32" else 4


def tile_grain(chip: SparseChip) -> int:
    """Return how many tiles are dealt out together: those that share an exchange bus."""
    return 1 if chip.n_tiles < chip.tiles_per_exchange_bus else chip.tiles_per_exchange_bus


def planning_order(counts: IntArray, n_blocks: int, preprocess: bool) -> tuple[IntArray, int]:
    """Return the order of rows or columns after pre-processing, and how many of them count for planning.

    Rows with more than a tenth of the average keep their order; the others follow, the fullest first.
    """
    if not preprocess:
        return np.arange(counts.size), counts.size
    by_count = np.argsort(-counts, kind="stable")
    kept = int(np.count_nonzero(counts > REJECT_BELOW * n_blocks / counts.size))
    kept = max(kept, 1)
    return np.concatenate([np.sort(by_count[:kept]), by_count[kept:]]), kept


def follows_n_m(blocks: Blocks, chip: SparseChip) -> bool:
    """Return whether `blocks` are single elements of which the AMP of `chip` skips the others.

    Of each ``amp_skip_m`` neighbours of a row, at most ``amp_skip_n`` are kept.
    """
    group = chip.amp_skip_m
    if not chip.amp_skip_n or blocks.block_size > 1:
        return False
    per_row = ceil_div(blocks.shape[1], group)
    counts = np.bincount(blocks.rows.astype(np.int64) * per_row + blocks.cols // group)
    return int(counts.max(initial=0)) <= chip.amp_skip_n


def plan_static(
    blocks: Blocks,
    n: int,
    dtype: str,
    chip: SparseChip,
    memory_proportion: float = 0.6,
    preprocess: bool = True,
    n_splits: int = 0,
    n_bands: int = 0,
    partials: str = "",
) -> StaticPlan | None:
    """Return the best plan, or None if no split fits in the memory.

    Parameters
    ----------
    blocks : Blocks
        The sparse operand; its block size has to be 1, 4, 8 or 16.
    n : int
        Columns of the dense operand.
    dtype : str
        ``float16`` or ``float32``.
    memory_proportion : float
        Share of a tile's SRAM that the estimate may use.
    preprocess : bool
        Whether nearly empty rows and columns are put last.
    n_splits, n_bands : int
        Fix the split; 0 lets the search choose.
    partials : str
        Format of the partial sums; that of the data, as the published library has it, if not given.
    """
    partials = partials or dtype
    row_order, planned_rows = planning_order(blocks.row_counts, blocks.n_blocks, preprocess)
    col_order, planned_cols = planning_order(blocks.col_counts, blocks.n_blocks, preprocess)
    ordered = blocks.col_counts[col_order]
    grain = vector_grain(dtype)
    n_padded = round_up(n, grain)
    k_grain = 1 if blocks.block_size == 1 else grain
    most_n = min(MOST_INTERVALS, n_padded // grain)
    most_k = min(MOST_BANDS, ceil_div(planned_cols, k_grain))
    n_m = follows_n_m(blocks, chip) and bool(np.all(np.diff(col_order) > 0))
    units = sparse_units(chip, blocks.block_size, dtype, partials, n_m)
    best = np.zeros(2, np.int64)
    terms = np.zeros(N_TERMS, np.int64)
    found = compiled(search_splits)(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(ordered, dtype=np.int64)]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(ordered == 0, dtype=np.int64)]),
        blocks.shape[0],
        n_padded,
        grain,
        planned_rows,
        planned_cols,
        n_splits or 1,
        n_splits or most_n,
        n_bands or 1,
        n_bands or most_k,
        blocks.block_size,
        dtype == "float32",
        partials == "float32",
        int(memory_proportion * chip.tile_sram_bytes),
        chip.n_tiles,
        tile_grain(chip),
        chip.exchange_bytes_per_cycle,
        chip.exchange_bus_rate_factor,
        chip.worker_contexts,
        chip.amp_load_bytes_per_cycle,
        units,
        best,
        terms,
    )
    if not found:
        return None
    return StaticPlan(
        (blocks.shape[0], blocks.shape[1], n),
        blocks.block_size,
        dtype,
        partials,
        n_padded,
        int(best[0]),
        int(best[1]),
        row_order,
        col_order,
        planned_rows,
        planned_cols,
        terms,
        n_m,
    )


def search_splits(
    cumulative: Any,
    cumulative_empty: Any,
    m: int,
    n_padded: int,
    grain: int,
    planned_rows: int,
    planned_cols: int,
    least_n: int,
    most_n: int,
    least_k: int,
    most_k: int,
    block_size: int,
    float_data: bool,
    float_partials: bool,
    memory_bytes: int,
    n_tiles: int,
    grain_tiles: int,
    exchange_bytes_per_cycle: int,
    bus_factor: int,
    workers: int,
    load_bytes_per_cycle: int,
    units: SparseUnits,
    best: Any,
    best_terms: Any,
) -> bool:
    """Try every split; fill `best` (intervals, bands) and `best_terms`, and return whether any split fits.

    Parameters
    ----------
    cumulative, cumulative_empty : int64 array [block columns + 1]
        Non-zero blocks, and columns without any, before each permuted block column.
    best : int64 array [2]
    best_terms : int64 array [N_TERMS]
        Terms of the slowest column interval; memory is the largest of any interval.
    """
    n_blocks = cumulative[len(cumulative) - 1]
    density = min(n_blocks / (planned_rows * planned_cols), 1.0)
    col_edges = np.zeros(most_n + 1, np.int64)
    tile_edges = np.zeros(most_n + 1, np.int64)
    edges = np.zeros(most_k + 1, np.int64)
    counts = np.zeros(most_k, np.int64)
    tiles = np.zeros(most_k, np.int64)
    terms = np.zeros(N_TERMS, np.int64)
    slowest = np.zeros(N_TERMS, np.int64)
    found = False
    for n_splits in range(least_n, most_n + 1):
        n_intervals = col_intervals(n_padded, n_splits, grain, col_edges)
        if not interval_tiles(col_edges, n_intervals, n_tiles, grain_tiles, tile_edges):
            continue
        for asked in range(least_k, most_k + 1):
            if n_splits * asked > n_tiles // grain_tiles:
                break
            n_bands = band_edges(cumulative, asked, edges)
            widest = 0
            for band in range(n_bands):
                counts[band] = cumulative[edges[band + 1]] - cumulative[edges[band]]
                empty = cumulative_empty[edges[band + 1]] - cumulative_empty[edges[band]]
                widest = max(widest, edges[band + 1] - edges[band] - empty)
            slowest[:] = 0
            memory = 0
            valid = True
            for interval in range(n_intervals):
                n_cols = col_edges[interval + 1] - col_edges[interval]
                share = tile_edges[interval + 1] - tile_edges[interval]
                if n_blocks == 0:
                    break
                if interval and _same_as_before(interval, col_edges, tile_edges):
                    continue
                if not band_tiles(counts, n_bands, share, grain_tiles, tiles):
                    valid = False
                    break
                fullest = 0
                for band in range(1, n_bands):
                    if counts[band] / tiles[band] > counts[fullest] / tiles[fullest]:
                        fullest = band
                valid = estimate_static(
                    m,
                    n_padded,
                    planned_rows,
                    planned_cols,
                    density,
                    n_cols,
                    n_splits > 1,
                    asked,
                    counts[fullest],
                    tiles[fullest],
                    edges[fullest + 1] - edges[fullest],
                    widest,
                    block_size,
                    float_data,
                    float_partials,
                    n_tiles,
                    exchange_bytes_per_cycle,
                    bus_factor,
                    workers,
                    load_bytes_per_cycle,
                    units,
                    terms,
                )
                if not valid:
                    break
                memory = max(memory, terms[MEMORY])
                if terms[CYCLES] > slowest[CYCLES]:
                    slowest[:] = terms
            if valid and memory <= memory_bytes and (not found or slowest[CYCLES] < best_terms[CYCLES]):
                found = True
                best[0], best[1] = n_splits, asked
                best_terms[:] = slowest
                best_terms[MEMORY] = memory
    return found


def _same_as_before(interval: int, col_edges: Any, tile_edges: Any) -> bool:
    same_cols = col_edges[interval + 1] - col_edges[interval] == col_edges[interval] - col_edges[interval - 1]
    same_tiles = tile_edges[interval + 1] - tile_edges[interval] == tile_edges[interval] - tile_edges[interval - 1]
    return bool(same_cols and same_tiles)
