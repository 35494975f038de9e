"""Where the partial sums of a static sparse matmul are added up, and what that asks of each tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.grouped_reduction import (
    add_group,
    at_destination_cycles,
    balanced_cycles,
    balanced_share,
    group_workers,
)
from ipusim.kernels.jit import compiled
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_partition import StaticPartition, sources_of_rows
from ipusim.plan.static_search import vector_grain

IntArray = NDArray[np.int64]

START_SEED = 12345
"""The library starts each balanced group at a hashed tile; here at a pseudo-random one, the same in every run."""


@dataclass(frozen=True, slots=True)
class StaticReduction:
    """The groups of a reduction and their load.

    Attributes
    ----------
    n_partials : int64 array [n_groups]
        Partial sums of each output; ascending, all at least 2.
    n_rows, n_outputs : int64 array [n_groups]
        Rows (one per column interval) and outputs.
    n_workers : int64 array [n_groups]
        Workers over which a tile's outputs of the group are split.
    balanced : bool array [n_groups]
        Spread over all tiles rather than reduced where the outputs belong.
    share, first_tile : int64 array [n_groups]
        Outputs per tile and first tile of a balanced group.
    out_share : int
        Elements of the result per tile: it is laid out linearly.
    loads : int64 array [n_groups, n_tiles]
        Outputs of each group that each tile computes.
    slots : int64 array [n_tiles, 2]
        Slots of all reduction vertices of each tile, and of the longest.
    received_bytes, copied_bytes, moved_bytes : int64 array [n_tiles]
        Partial sums that arrive, rows of a single source, and results of balanced groups that come home.
    data_bytes : int
        Of an element of the result.
    """

    n_partials: IntArray
    n_rows: IntArray
    n_outputs: IntArray
    n_workers: IntArray
    balanced: NDArray[np.bool_]
    share: IntArray
    first_tile: IntArray
    out_share: int
    loads: IntArray
    slots: IntArray
    received_bytes: IntArray
    copied_bytes: IntArray
    moved_bytes: IntArray
    data_bytes: int

    @property
    def sent_home_bytes(self) -> IntArray:
        """Results of balanced groups that each tile sends to their place: int64 array [n_tiles]."""
        sent: IntArray = self.loads[self.balanced].sum(axis=0) * self.data_bytes
        return sent

    @property
    def n_groups(self) -> int:
        """Groups with two or more sources."""
        return int(self.n_partials.size)


def plan_reduction(partition: StaticPartition, chip: SparseChip) -> StaticReduction:
    """Group the rows by their number of sources, and choose a place for each group."""
    plan = partition.plan
    float_partials = plan.partials == "float32"
    partial_bytes, data_bytes = 4 if float_partials else 2, 4 if plan.dtype == "float32" else 2
    sources = np.stack([sources_of_rows(layout, plan.row_order.size) for layout in partition.layouts])
    most = int(sources.max(initial=0))
    out_share = output_share(partition, chip)
    outputs = np.zeros((most + 1, chip.n_tiles), np.int64)
    rows = np.zeros(most + 1, np.int64)
    compiled(count_outputs)(
        sources, partition.layout_of, partition.col_edges, plan.block_size, plan.n_padded, out_share, outputs, rows
    )
    groups = np.flatnonzero(rows[2:]) + 2
    totals = outputs.sum(axis=1)
    all_rows = int(rows[1:].sum())
    n_workers = np.array([group_workers(groups.size, int(rows[p]), all_rows, chip.worker_contexts) for p in groups])
    share = np.array([balanced_share(int(totals[p]), float_partials, chip.n_tiles) for p in groups])
    first = _start_tiles(groups.size, chip.n_tiles)
    balanced = np.zeros(groups.size, np.bool_)
    loads = np.zeros((groups.size, chip.n_tiles), np.int64)
    slots = np.zeros((chip.n_tiles, 2), np.int64)
    received, moved = np.zeros(chip.n_tiles, np.int64), np.zeros(chip.n_tiles, np.int64)
    for group, p in enumerate(groups.tolist()):
        total, largest = int(totals[p]), int(outputs[p].max())
        rate = int(chip.exchange_bytes_per_cycle)
        here = at_destination_cycles(largest, p, partial_bytes, rate)
        spread = balanced_cycles(total, largest, p, partial_bytes, chip.n_tiles, rate)
        balanced[group] = spread <= here
        loads[group] = outputs[p]
        if balanced[group]:
            loads[group] = _spread(total, int(share[group]), int(first[group]), chip.n_tiles)
            moved += outputs[p] * data_bytes
        received += loads[group] * p * partial_bytes
        compiled(add_group)(loads[group], p, int(n_workers[group]), float_partials, slots)
    copied = outputs[1] * data_bytes if most else np.zeros(chip.n_tiles, np.int64)
    return StaticReduction(
        groups,
        rows[groups],
        totals[groups],
        n_workers.astype(np.int64),
        balanced,
        share.astype(np.int64),
        first,
        out_share,
        loads,
        slots,
        received,
        copied,
        moved,
        data_bytes,
    )


def output_share(partition: StaticPartition, chip: SparseChip) -> int:
    """Return the elements of the result per tile: linear, in grains of a vector (block size 1) or of its square."""
    plan = partition.plan
    vector = vector_grain(plan.dtype)
    grain = vector if plan.block_size == 1 else vector * vector
    return max(1, ceil_div(ceil_div(plan.shape[0] * plan.n_padded, grain), chip.n_tiles)) * grain


def count_outputs(
    sources: Any,
    layout_of: Any,
    col_edges: Any,
    block_size: int,
    n_padded: int,
    out_share: int,
    outputs: Any,
    rows: Any,
) -> None:
    """Count the outputs with each number of sources on each tile of the result's layout.

    Parameters
    ----------
    sources : int64 array [n_layouts, block rows]
        Partial rows of each block row.
    layout_of : int64 array [n_intervals]
    col_edges : int64 array [n_intervals + 1]
    out_share : int
        Elements of the result per tile; the result is laid out as [block row][column][row of the block].
    outputs : int64 array [most sources + 1, n_tiles]
        Filled.
    rows : int64 array [most sources + 1]
        Filled with the rows (one per interval) of each number of sources.
    """
    for interval in range(len(layout_of)):
        width = (col_edges[interval + 1] - col_edges[interval]) * block_size
        for row in range(sources.shape[1]):
            n_sources = sources[layout_of[interval], row]
            rows[n_sources] += 1
            begin = (row * n_padded + col_edges[interval]) * block_size
            end = begin + width
            while begin < end:
                tile = begin // out_share
                stop = min(end, (tile + 1) * out_share)
                outputs[n_sources, tile] += stop - begin
                begin = stop


def _spread(total: int, share: int, first: int, n_tiles: int) -> IntArray:
    load = np.zeros(n_tiles, np.int64)
    used = ceil_div(total, share)
    load[:used] = share
    load[used - 1] = total - (used - 1) * share
    return np.roll(load, first)


def _start_tiles(n_groups: int, n_tiles: int) -> IntArray:
    starts = np.zeros(n_groups, np.int64)
    state = START_SEED
    for group in range(n_groups):
        state = state * 16807 % 2147483647
        starts[group] = state % n_tiles
    return starts
