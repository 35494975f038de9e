"""What each vertex of a static sparse matmul does: the integer fields of its codelet, tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.codelets.static_element_wise import static_worker_slots
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.sparse_units import sparse_units
from ipusim.kernels.jit import compiled
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_partition import RunLayout
from ipusim.plan.static_search import StaticPlan, vector_grain

IntArray = NDArray[np.int64]


def codelet_of(plan: StaticPlan) -> str:
    """Return the name of the vertex type."""
    return "static_element_wise" if plan.block_size == 1 else "static_block"


def vertex_fields(
    plan: StaticPlan, layout: RunLayout, n_cols: int, workers: int, gather_elements: int = 0
) -> dict[str, IntArray]:
    """Return the fields of the vertices of one column interval: an int64 array [n_runs] for each field.

    Parameters
    ----------
    layout : RunLayout
        The layout that the interval uses.
    n_cols : int
        Columns of the interval.
    workers : int
        Worker contexts of a tile.
    gather_elements : int
        Elements per cycle of a tile's gather units; 0 without them.
    """
    blocks, all_rows = np.diff(layout.blocks_indptr), np.diff(layout.rows_indptr)
    all_cols = np.full_like(blocks, n_cols)
    if plan.block_size > 1:
        return {"rows": all_rows, "blocks": blocks, "cols": all_cols, "worker_cols": -(-all_cols // workers)}
    rows, held, cols = np.zeros_like(blocks), np.zeros_like(blocks), np.zeros_like(blocks)
    compiled(slowest_workers)(
        layout.rows_indptr,
        layout.row_blocks,
        n_cols,
        vector_grain(plan.dtype),
        plan.dtype == "float32",
        workers,
        gather_elements,
        rows,
        held,
        cols,
    )
    slowest = {"worker_rows": rows, "worker_non_zeros": held, "worker_cols": cols}
    return slowest | {"rows": all_rows, "non_zeros": blocks, "cols": all_cols}


def multiply_settings(plan: StaticPlan) -> dict[str, Any]:
    """Return the settings of the multiplying vertices that their cycles depend on."""
    settings = {"inputs": plan.dtype, "partials": plan.partials, "block_size": plan.block_size}
    return settings | ({"n_m": True} if plan.n_m else {})


def gather_elements_of(plan: StaticPlan, chip: SparseChip) -> int:
    """Return the elements per cycle of the gather units of a tile of `chip`."""
    return sparse_units(chip, plan.block_size, plan.dtype, plan.partials).gather_elements


def slowest_workers(
    rows_indptr: Any,
    row_blocks: Any,
    n_cols: int,
    grain: int,
    float_data: bool,
    workers: int,
    gather_elements: int,
    worst_rows: Any,
    worst_held: Any,
    worst_cols: Any,
) -> None:
    """Find what the slowest worker of each element-wise vertex has to do.

    Rows are dealt out in order: a worker takes rows until it has its own share of the tile's non-zeros. Up to as many
    rows as workers, each takes one; of at most half as many (and columns in whole eights), two groups of workers halve
    the columns instead. Source: reference/MODEL_STATIC_MECHANISMS.md, item 10.

    Parameters
    ----------
    rows_indptr : int64 array [n_runs + 1]
    row_blocks : int64 array [n_partial_rows]
        Non-zeros of each row.
    n_cols, grain : int
        Columns on the tile, and the grain in which they are halved.
    worst_rows, worst_held, worst_cols : int64 array [n_runs]
        Filled with rows, non-zeros and columns.
    """
    for run in range(len(rows_indptr) - 1):
        last = rows_indptr[run + 1]
        n_rows = last - rows_indptr[run]
        parts = 2 if 2 * n_rows <= workers and n_cols % 8 == 0 else 1
        one_each = parts == 1 and n_rows <= workers
        used = workers // parts
        cols = ceil_div(n_cols // grain, parts) * grain
        total = 0
        for row in range(rows_indptr[run], last):
            total += row_blocks[row]
        longest = -1
        row = rows_indptr[run]
        for _ in range(used):
            begin = row
            held = 0
            while held * used < total and row < last:
                held += row_blocks[row]
                row += 1
                if one_each:
                    break
            slots = 0
            if row > begin:
                slots = static_worker_slots(row - begin, held, cols, float_data, gather_elements)
            if slots > longest:
                longest = slots
                worst_rows[run], worst_held[run], worst_cols[run] = row - begin, held, cols
