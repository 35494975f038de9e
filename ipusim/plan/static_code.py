"""The exchange code of static sparse matmuls and weight gradients: instructions for every piece received or sent.

The gather is irregular, so that no two tiles receive alike and nothing of the code repeats. A piece is a run of
elements that lies together where it comes from and where it goes: a block row of the dense operand in a column
interval, or a partial row, cut where a tile's share of the result ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_partition import StaticPartition
from ipusim.plan.static_reduction import StaticReduction

IntArray = NDArray[np.int64]


def exchange_code_bytes(partition: StaticPartition, reduction: StaticReduction, chip: SparseChip) -> IntArray:
    """Return the exchange code of every tile: int64 array [n_tiles].

    Each piece takes, at either end, the instructions that select its source, set its place and end it. Source: the 3
    control instructions of a fragment and their 4 bytes, reference/dense.md sections 1.1 and 1.5. Neighbouring rows of
    the operand are not joined to one piece, so that this is the most it can be when the columns are not cut.
    """
    pieces = exchanged_pieces(partition, reduction, chip)
    return pieces * int(chip.exchange_control_cycles_per_fragment * chip.exchange_instruction_bytes)


def exchanged_pieces(partition: StaticPartition, reduction: StaticReduction, chip: SparseChip) -> IntArray:
    """Return how many pieces every tile receives and sends: int64 array [n_tiles]."""
    plan = partition.plan
    pieces = np.zeros(chip.n_tiles, np.int64)
    if partition.order.size == 0:
        return pieces
    for interval, which in enumerate(partition.layout_of.tolist()):
        layout = partition.layouts[which]
        width = int(partition.col_edges[interval + 1] - partition.col_edges[interval]) * plan.block_size
        rows = np.diff(layout.rows_indptr) * ceil_div(width, reduction.out_share)
        pieces[layout.tile + partition.tile_edges[interval]] += layout.n_cols + rows
    widest = int(np.diff(partition.col_edges).max()) * plan.block_size
    pieces += ceil_div(ceil_div(plan.shape[1] * plan.n_padded, chip.n_tiles), widest)
    for n_partials, load in zip(reduction.n_partials.tolist(), reduction.loads, strict=True):
        pieces += n_partials * -(-load // widest)
    return pieces


def gradient_code_bytes(partition: StaticPartition, edges: IntArray, chip: SparseChip) -> IntArray:
    """Return the exchange code of the gradient of the weight on every tile: int64 array [n_tiles].

    A piece is a block row of a dense operand in a slice of a column interval, or the part of a run's sums that belongs
    to a tile. Every slice comes from other places, and so has code of its own.

    Parameters
    ----------
    partition : StaticPartition
    edges : int64 array [n_slices + 1, n_intervals]
        Of the slices: :func:`ipusim.plan.static_slices.slice_edges`.
    chip : SparseChip
    """
    plan = partition.plan
    pieces = np.zeros(chip.n_tiles, np.int64)
    elements, depth = partition.order.size * plan.block_size**2, partition.n_intervals
    share = max(1, ceil_div(elements, chip.n_tiles))
    widths = np.diff(edges, axis=0)
    n_slices = np.count_nonzero(widths, axis=0).tolist()
    for interval, which in enumerate(partition.layout_of.tolist()):
        layout = partition.layouts[which]
        tile = layout.tile + partition.tile_edges[interval]
        pieces[tile] += n_slices[interval] * (layout.n_cols + np.diff(layout.rows_indptr))
        if depth > 1:
            pieces[tile] += 1 + np.diff(layout.blocks_indptr) * plan.block_size**2 // share
    if elements:
        widest = int(widths.max()) * plan.block_size
        pieces += sum(ceil_div(ceil_div(plan.shape[axis] * plan.n_padded, chip.n_tiles), widest) for axis in (0, 1))
    if depth > 1:
        pieces[: ceil_div(elements, share)] += depth
    return pieces * int(chip.exchange_control_cycles_per_fragment * chip.exchange_instruction_bytes)
