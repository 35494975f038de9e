"""How static sparsity cuts its dimensions: column intervals, bands of equal non-zeros, tiles of each.

Plain functions of integers and arrays, used by the search (compiled) and by the partition of the real pattern, so that
both cut alike. Source: poplibs lib/popsparse/StaticMatMulPartitioner.cpp; reference/sparse.md sections 1.1, 1.2.
"""

from __future__ import annotations

from typing import Any

from ipusim.cost.arithmetic import ceil_div, round_up


def col_intervals(n_padded: int, n_splits: int, grain: int, edges: Any) -> int:
    """Cut the columns of the dense operand into at most `n_splits` intervals of equal grains.

    Parameters
    ----------
    n_padded : int
        Columns, a multiple of `grain`.
    edges : int64 array [n_splits + 1]
        Filled with the start of each interval and, last, `n_padded`.

    Returns
    -------
    int
        Number of intervals; the last one may be smaller.
    """
    size = ceil_div(n_padded // grain, n_splits) * grain
    count = 0
    edges[0] = 0
    while edges[count] < n_padded:
        edges[count + 1] = min(edges[count] + size, n_padded)
        count += 1
    return count


def interval_tiles(edges: Any, n_intervals: int, n_tiles: int, tile_grain: int, tile_edges: Any) -> bool:
    """Deal the tiles out to the column intervals; return whether every interval got some.

    Parameters
    ----------
    edges : int64 array [n_intervals + 1]
    tile_edges : int64 array [n_intervals + 1]
        Filled with the first tile of each interval and, last, the number of tiles.
    """
    grains = ceil_div(n_tiles, tile_grain)
    total = edges[n_intervals] + 1
    least = ceil_div(grains, n_intervals)
    tile_edges[0] = 0
    complete = True
    for interval in range(n_intervals):
        size = edges[interval + 1] - edges[interval]
        share = max(ceil_div(grains * size, total) - 1, least)
        end = min(tile_edges[interval] + share * tile_grain, n_tiles)
        if interval == n_intervals - 1:
            end = n_tiles
        tile_edges[interval + 1] = end
        complete = complete and end > tile_edges[interval]
    return complete


def band_edges(cumulative: Any, n_bands: int, edges: Any) -> int:
    """Cut the block columns into at most `n_bands` bands of equal non-zeros.

    Parameters
    ----------
    cumulative : int64 array [block columns + 1]
        Non-zero blocks before each (permuted) block column.
    edges : int64 array [n_bands + 1]
        Filled with the first column of each band and the end of the last.

    Returns
    -------
    int
        Number of bands.
    """
    n_cols = len(cumulative) - 1
    share = ceil_div(cumulative[n_cols], n_bands)
    count = 0
    edges[0] = 0
    while count < n_bands:
        target = cumulative[edges[count]] + share
        low = edges[count]
        high = n_cols
        while low < high:
            middle = (low + high) // 2
            if cumulative[middle] < target:
                low = middle + 1
            else:
                high = middle
        if cumulative[low] == cumulative[edges[count]]:
            break
        edges[count + 1] = low
        count += 1
    return count


def band_tiles(band_blocks: Any, n_bands: int, n_tiles: int, tile_grain: int, tiles: Any) -> bool:
    """Deal `n_tiles` out to the bands; return False if there are too few.

    Parameters
    ----------
    band_blocks : int64 array [n_bands]
        Non-zero blocks of each band.
    tiles : int64 array [n_bands]
        Filled with the tiles of each band.
    """
    total = 0
    for band in range(n_bands):
        total += band_blocks[band]
    used = 0
    for band in range(n_bands):
        share = band_blocks[band] * n_tiles // total
        if share == 0:
            share = min(n_tiles, tile_grain)
        needed = ceil_div(band_blocks[band], ceil_div(band_blocks[band], share))
        share = min(round_up(needed, tile_grain), share)
        if band == n_bands - 1:
            share = n_tiles - used
        share = share // tile_grain * tile_grain
        share = min(max(share, tile_grain), n_tiles - used)
        left = n_tiles - (n_bands - 1 - band) * tile_grain
        if left >= 0:
            share = min(share, left)
        if share == 0:
            return False
        tiles[band] = share
        used += share
    return True
