"""Adding up many rows with different numbers of partial sums: one reduction for each number of sources.

The library collects all rows that have the same number of partial sums and reduces them together. Each such group is
planned on its own, but all share a compute set. A group is reduced where its outputs belong ("at destination"), or
spread evenly over all tiles ("balanced"), after which the results have to travel once more. Rows with a single source
are copied. Source: reference/MODEL_STATIC_MECHANISMS.md, items 1-6 (poplibs lib/popops/reduction).
"""

from __future__ import annotations

from typing import Any

from ipusim.cost.arithmetic import ceil_div

SYNC_DELAY_CYCLES = 126
"""What the library's planner counts for a sync between tiles (poplibs target, getMaxIPUSyncDelay)."""


def vector_width(float_partials: bool) -> int:
    """Return the elements of a 64-bit vector."""
    return 2 if float_partials else 4


def at_destination_cycles(largest: int, n_partials: int, element_bytes: int, exchange_bytes_per_cycle: int) -> int:
    """Return the library's estimate of reducing a group where its outputs belong.

    Parameters
    ----------
    largest : int
        Most outputs of the group on any tile. What arrives is counted once, not `n_partials` times, as in the library.
    n_partials : int
        Partial sums of each output.
    element_bytes, exchange_bytes_per_cycle : int
        Bytes of a partial sum, and bytes that a tile receives per cycle.
    """
    arrive = ceil_div(largest * element_bytes, exchange_bytes_per_cycle)
    return arrive + n_partials * ceil_div(largest, 8 // element_bytes) + SYNC_DELAY_CYCLES


def balanced_cycles(
    n_outputs: int, largest: int, n_partials: int, element_bytes: int, n_tiles: int, exchange_bytes_per_cycle: int
) -> int:
    """Return the library's estimate of spreading a group of `n_outputs` over all tiles and moving the results home.

    The other parameters are those of :func:`at_destination_cycles`.
    """
    share = 8 * ceil_div(ceil_div(n_outputs, 8), n_tiles)
    arrive = ceil_div(share * n_partials * element_bytes, exchange_bytes_per_cycle)
    leave = ceil_div(largest * element_bytes, exchange_bytes_per_cycle)
    return arrive + leave + n_partials * ceil_div(share, 8 // element_bytes) + 2 * SYNC_DELAY_CYCLES


def balanced_share(n_outputs: int, float_partials: bool, n_tiles: int) -> int:
    """Return the outputs per tile of a balanced group: whole vectors, at least four of them."""
    vector = vector_width(float_partials)
    return max(ceil_div(ceil_div(n_outputs, vector), n_tiles), 4) * vector


def group_workers(n_groups: int, group_rows: int, all_rows: int, workers: int) -> int:
    """Return over how many workers a group's outputs on a tile are split.

    Parameters
    ----------
    n_groups : int
        Groups with two or more sources.
    group_rows, all_rows : int
        Rows of the group and of all groups, copied ones included.
    workers : int
        Worker contexts of a tile.
    """
    if n_groups > workers:
        return min(2, workers)
    return ceil_div(workers * group_rows, all_rows)


def strided_slots(n_outputs: int, n_partials: int, float_partials: bool) -> int:
    """Return the slots of one worker that adds `n_partials` values for each of `n_outputs` outputs.

    Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp, strided reduction with one outer stride, output
    and partials of one format, 64-bit loads. Where the regions of a worker do not form one regular block, the library
    falls back on another vertex; its published formula agrees less well with measurements (error factor 1.104 rather
    than 1.073 on 129 cells), and this one is charged instead.
    """
    if float_partials:
        return 16 + ceil_div(n_outputs, 2) * (10 + n_partials)
    return 16 + ceil_div(n_outputs, 4) * (13 + n_partials)


def add_group(outputs: Any, n_partials: int, n_workers: int, float_partials: bool, slots: Any) -> None:
    """Add one group's vertices to every tile.

    Parameters
    ----------
    outputs : int64 array [n_tiles]
        Outputs of the group that each tile computes; cut over the workers in pieces of two vectors.
    n_workers : int
        From :func:`group_workers`.
    slots : int64 array [n_tiles, 2]
        Slots of all vertices of the tile, and of its longest; changed.
    """
    grain = 2 * vector_width(float_partials)
    for tile in range(len(outputs)):
        left = outputs[tile]
        if left == 0:
            continue
        share = ceil_div(ceil_div(left, grain), n_workers) * grain
        while left > 0:
            length = strided_slots(min(share, left), n_partials, float_partials)
            slots[tile, 0] += length
            slots[tile, 1] = max(slots[tile, 1], length)
            left -= share


def reduce_cycles(total_slots: int, longest_slots: int, workers: int) -> int:
    """Return a tile's cycles: its workers take turns, so that one long vertex leaves the turns of the others unused."""
    return max(total_slots, workers * longest_slots)
