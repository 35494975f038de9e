"""The multiplying vertices of a static sparse matmul over all column intervals, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.formats import number_format
from ipusim.ir.program import TileArray
from ipusim.ir.regions import IntArray
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_gather import shared_cols
from ipusim.plan.static_partition import single_rows
from ipusim.plan.static_plan import StaticSparsePlan
from ipusim.plan.static_workers import gather_elements_of, vertex_fields


@dataclass(frozen=True, slots=True)
class StaticVertices:
    """One vertex for each tile with non-zeros, interval by interval.

    Attributes
    ----------
    tile : int32 array [n]
    layout : int64 array [n]
        Index of the layout that the vertex's interval uses.
    cols : int64 array [n, 2]
        Columns of the dense operand; the last interval may stand past the edge.
    blocks, rows : int64 array [n, 2]
        Ranges of the blocks in the device order, and of the partial rows of the layout.
    single_rows : int64 array [n]
        Partial rows that are a row's only ones.
    gathered_bytes, stored_bytes : int64 array [n]
        Dense operand and non-zeros that the vertex needs.
    shared_bytes : int64 array [n]
        Dense operand that the tiles of its bus receive together instead, if they do.
    fields : dict of str to int64 array [n]
        Of the codelet.
    """

    tile: TileArray
    layout: IntArray
    cols: IntArray
    blocks: IntArray
    rows: IntArray
    single_rows: IntArray
    gathered_bytes: IntArray
    stored_bytes: IntArray
    shared_bytes: IntArray
    fields: dict[str, IntArray]

    @property
    def n_blocks(self) -> IntArray:
        """Non-zero blocks of each vertex."""
        return self.blocks[:, 1] - self.blocks[:, 0]

    @property
    def n_rows(self) -> IntArray:
        """Partial rows of each vertex."""
        return self.rows[:, 1] - self.rows[:, 0]


def static_vertices(plan: StaticSparsePlan, chip: SparseChip) -> StaticVertices:
    """Return the vertices of `plan`."""
    partition, size = plan.partition, plan.split.block_size
    element_bytes = number_format(plan.split.dtype).bytes
    gather_elements = gather_elements_of(plan.split, chip)
    single = [single_rows(layout, plan.split.row_order.size) for layout in partition.layouts]
    shared = [shared_cols(partition, layout, chip) for layout in partition.layouts]
    parts: dict[tuple[int, int], dict[str, IntArray]] = {}
    columns: dict[str, list[IntArray]] = {}
    for interval, which in enumerate(partition.layout_of.tolist()):
        layout = partition.layouts[which]
        first, last = (int(edge) for edge in partition.col_edges[interval : interval + 2])
        width = last - first
        if (which, width) not in parts:
            parts[which, width] = vertex_fields(plan.split, layout, width, chip.worker_contexts, gather_elements)
        ones = np.ones(layout.n_runs, dtype=np.int64)
        columns_here = {
            "tile": layout.tile + partition.tile_edges[interval],
            "layout": which * ones,
            "cols": np.stack([first * ones, last * ones], axis=1),
            "blocks": _ranges(layout.blocks_indptr),
            "rows": _ranges(layout.rows_indptr),
            "single_rows": single[which],
            "gathered": layout.n_cols * (width * size * element_bytes),
            "shared": shared[which] * (width * size * element_bytes),
            **{f"field {name}": values for name, values in parts[which, width].items()},
        }
        for name, values in columns_here.items():
            columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    return StaticVertices(
        joined["tile"].astype(np.int32),
        joined["layout"],
        joined["cols"],
        joined["blocks"],
        joined["rows"],
        joined["single_rows"],
        joined["gathered"],
        (joined["blocks"][:, 1] - joined["blocks"][:, 0]) * (size * size * element_bytes),
        joined["shared"],
        {name.removeprefix("field "): values for name, values in joined.items() if name.startswith("field ")},
    )


def _ranges(indptr: IntArray) -> IntArray:
    return np.stack([indptr[:-1], indptr[1:]], axis=1)
