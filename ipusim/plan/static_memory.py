"""What a static sparse matmul keeps in a tile's memory while it multiplies and while it reduces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_code import exchange_code_bytes
from ipusim.plan.static_partition import RunLayout, StaticPartition
from ipusim.plan.static_reduction import StaticReduction

IntArray = NDArray[np.int64]

RESERVED_BYTES = 109 * 1024
"""Code, stacks and vertex state, which are not counted one by one. Assumed: of the published grid (with the benchmark's
float32 copies) all cells that ran leave more, and those that did not fit less. The curves narrow it to 1.4 KiB: at 4096
features, density 1/16 and n = 4096, block size 16 is the measured best with 110.0 KiB left, and block size 4, of which
108.6 KiB are left, cannot have run, or its measured best would be half as fast again."""
RESERVED_SHARE = 5
"""No more than this part of the SRAM: chips with tiny tiles are for programs with little code."""
GATHER_PADDING_BYTES = 16
"""Block vertices read past the end of the gathered operand. Source: reference/sparse.md section 1.3."""


@dataclass(frozen=True, slots=True)
class StaticMemory:
    """Bytes on the tile with the largest sum, by category.

    Attributes
    ----------
    tensors : int
        The tile's own part of the dense operand, the result and the non-zeros.
    gathered, copied_non_zeros : int
        What the vertex reads and is not the tile's own.
    partials : int
        Partial rows that the vertex writes.
    metadata : int
        Where the non-zeros stand: a constant table, always there.
    received : int
        Partial sums of other tiles, at the most on any tile.
    exchange_code : int
        Instructions of the exchanges, always there.
    """

    tensors: int
    gathered: int
    copied_non_zeros: int
    partials: int
    metadata: int
    received: int
    exchange_code: int

    @property
    def multiply_bytes(self) -> int:
        """Bytes while the products are computed."""
        return self._resident_bytes + self.gathered + self.copied_non_zeros + self.partials

    @property
    def reduce_bytes(self) -> int:
        """Bytes while partial sums are added up."""
        return self._resident_bytes + self.partials + self.received

    @property
    def _resident_bytes(self) -> int:
        return self.tensors + self.metadata + self.exchange_code

    @property
    def live_bytes(self) -> int:
        """Bytes in the fuller of the two."""
        return max(self.multiply_bytes, self.reduce_bytes)


def reserved_bytes(chip: SparseChip) -> int:
    """Return the bytes of a tile that are set aside for what is not counted one by one."""
    return min(RESERVED_BYTES, chip.tile_sram_bytes // RESERVED_SHARE)


def metadata_bytes(block_size: int, n_rows: IntArray, n_blocks: IntArray, workers: int) -> IntArray:
    """Return the bytes of the tables of 16-bit words. Source: reference/sparse.md section 1.4."""
    if block_size == 1:
        return 2 * (6 * workers + n_rows + n_blocks)
    return 2 * (2 * workers + 1 + 2 * n_rows + n_blocks)


def static_memory(partition: StaticPartition, reduction: StaticReduction, chip: SparseChip) -> StaticMemory:
    """Return what the fullest tile holds."""
    plan = partition.plan
    m, k, n = plan.shape
    element_bytes = 4 if plan.dtype == "float32" else 2
    dense = ceil_div((m + k) * n * element_bytes, chip.n_tiles)
    shared = ceil_div(partition.order.size * plan.block_size**2 * element_bytes, chip.n_tiles)
    received = int(reduction.received_bytes.max())
    code = exchange_code_bytes(partition, reduction, chip)
    fullest = StaticMemory(dense, 0, 0, 0, 0, received, int(code.max()))
    widths = np.diff(partition.col_edges)
    for index, layout in enumerate(partition.layouts):
        if layout.n_runs == 0:
            continue
        alike = partition.layout_of == index
        tiles = partition.tile_edges[:-1][alike, None] + layout.tile
        held = _Held(int(widths[alike].max()), dense, shared, received, code[tiles].max(axis=0))
        tile = _largest(partition, layout, held, chip.worker_contexts)
        if tile.live_bytes > fullest.live_bytes:
            fullest = tile
    return fullest


@dataclass(frozen=True, slots=True)
class _Held:
    """What the runs of a layout have in common, and their exchange code: int64 array [n_runs]."""

    n_cols: int
    dense: int
    shared: int
    received: int
    code: IntArray


def _largest(partition: StaticPartition, layout: RunLayout, held: _Held, workers: int) -> StaticMemory:
    plan = partition.plan
    data_bytes, partial_bytes = (4 if name == "float32" else 2 for name in (plan.dtype, plan.partials))
    blocks, rows = np.diff(layout.blocks_indptr), np.diff(layout.rows_indptr)
    values = blocks * (plan.block_size**2 * data_bytes)
    padding = 0 if plan.block_size == 1 else GATHER_PADDING_BYTES
    gathered = layout.n_cols * (held.n_cols * plan.block_size * data_bytes) + padding
    partials = rows * (held.n_cols * plan.block_size * partial_bytes)
    tables = metadata_bytes(plan.block_size, rows, blocks, workers)
    exchanged = plan.n_splits > 1
    tensors = np.full_like(values, held.dense + held.shared) if exchanged else held.dense + values
    copied = values if exchanged else np.zeros_like(values)
    resident = tensors + tables + held.code
    run = int(np.argmax(resident + partials + np.maximum(gathered + copied, held.received)))
    return StaticMemory(
        int(tensors[run]),
        int(gathered[run]),
        int(copied[run]),
        int(partials[run]),
        int(tables[run]),
        held.received,
        int(held.code[run]),
    )
