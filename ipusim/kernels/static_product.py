"""Products of static sparse matmuls, run by run as the tiles hold them; sums of partial rows; the rows of the result.

A run is what one tile has: consecutive blocks in the order of the device, and the partial rows that they add up to.
Tiles of neighbouring column intervals with the same run are computed together; no element's sum depends on that.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ipusim.ir.regions import IntArray
from ipusim.kernels.block_row import BAND_ROWS, BAND_VECTORS, LANES, SINGLE_VECTORS, block_row
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array, PackedBlocks, pack
from ipusim.kernels.scalars import FLOAT32, NEAREST, STOCHASTIC, half_grid, signed_word
from ipusim.kernels.workers import Done, Workers

_NAN = np.float32(np.nan)
_LINES = 16


def panel_columns(block_size: int) -> int:
    """Return the most columns of the dense operand that are multiplied at once."""
    return LANES * (SINGLE_VECTORS if block_size == 1 else BAND_VECTORS)


def multiply_runs(
    values: F32Array,
    block_cols: IntArray,
    blocks_indptr: IntArray,
    rows_indptr: IntArray,
    dense: F32Array,
    boxes: IntArray,
    transposed: bool,
    out: F32Array,
    out_cols: IntArray,
    block_size: int,
    half: bool,
    workers: Workers,
    done: Done | None = None,
    key: int | None = None,
) -> None:
    """Compute the partial rows of all runs of one layout, for some panels of columns.

    Parameters
    ----------
    values : float32 array [n_blocks * block_size * block_size]
        Non-zero blocks in the order of the device.
    block_cols : int64 array [n_blocks]
        Block row of the dense operand that each block meets.
    blocks_indptr : int64 array [n_partial_rows + 1]
        Blocks of each partial row.
    rows_indptr : int64 array [n_runs + 1]
        Partial rows of each run.
    dense : float32 array [groups, rows, cols]
    boxes : int64 array [n_panels, 6]
        Part of `dense` of each panel, of at most :func:`panel_columns` columns.
    transposed : bool
        The rows of `dense` are the columns of the operand.
    out : float32 array [>= n_partial_rows * block_size, >= columns]
        Each partial row is `block_size` rows.
    out_cols : int64 array [n_panels]
        First column of each panel in `out`.
    half : bool
        Partial sums are float16: rounded whenever a vertex stores them, which is after every block, or after every
        partial row of single elements (reference/sparse.md sections 1.3, 1.6).
    workers : Workers
    done : callable, optional
        Told which fraction is done.
    key : int, optional
        Round stochastically, with random bits that follow from these 64 bits, the number of the element in `out` and
        how often it was rounded before; to nearest by default.
    """
    width = panel_columns(block_size)
    panels = pack(dense, boxes, transposed, width, LANES, workers)
    n_runs = len(rows_indptr) - 1
    task = partial(
        _multiply_range,
        values,
        block_cols,
        blocks_indptr,
        rows_indptr,
        panels,
        out,
        out_cols,
        block_size,
        (NEAREST if key is None else STOCHASTIC) if half else FLOAT32,
        signed_word(key or 0),
    )
    workers.run(task, len(boxes) * n_runs, done)


@kernel
def _multiply_range(
    values: F32Array,
    block_cols: IntArray,
    blocks_indptr: IntArray,
    rows_indptr: IntArray,
    panels: PackedBlocks,
    out: F32Array,
    out_cols: IntArray,
    block_size: int,
    rounding: int,
    key: int,
    first: int,
    last: int,
) -> None:
    """Compute the tasks ``first:last``: the runs of the first panel, those of the second, and so on."""
    n_runs = len(rows_indptr) - 1
    single = block_size == 1
    band = 1 if single else BAND_ROWS
    edge = np.empty((BAND_ROWS, LANES * max(SINGLE_VECTORS, BAND_VECTORS)), dtype=np.float32)
    row_bytes = 4 * block_size
    block_bytes = row_bytes * block_size
    values_start, cols_start = values.ctypes.data, block_cols.ctypes.data
    for task in range(first, last):
        panel, run = task // n_runs, task % n_runs
        lines = panels.extents[panel, 0]
        vectors = (lines + LANES - 1) // LANES
        panel_start = panels.values.ctypes.data + 4 * panels.starts[panel]
        whole = lines == vectors * LANES
        col = out_cols[panel]
        for row in range(rows_indptr[run], rows_indptr[run + 1]):
            begin = blocks_indptr[row]
            count = blocks_indptr[row + 1] - begin
            for part in range(0, block_size, band):
                target = out[row * block_size + part :, col:]
                address, stride = target.ctypes.data, 4 * out.shape[1]
                if not whole:
                    address, stride = edge.ctypes.data, 4 * edge.shape[1]
                block_row(
                    single,
                    vectors,
                    rounding,
                    values_start + begin * block_bytes + part * row_bytes,
                    block_bytes,
                    row_bytes,
                    block_size,
                    cols_start + 8 * begin,
                    count,
                    panel_start,
                    4 * LANES * vectors,
                    address,
                    stride,
                    False,
                    (row * block_size + part) * out.shape[1] + col,
                    out.shape[1],
                    0,
                    key,
                )
                if not whole:
                    for i in range(band):
                        for j in range(lines):
                            target[i, j] = edge[i, j]


def add_sources(
    partials: F32Array,
    sources_indptr: IntArray,
    sources: IntArray,
    block_size: int,
    first_col: int,
    last_col: int,
    half: bool,
    workers: Workers,
    done: Done | None = None,
) -> None:
    """Add up, for every block row, its partial rows one after the other in float32; the first one takes the sum.

    Parameters
    ----------
    partials : float32 array [rows, cols]
    sources_indptr : int64 array [n_rows + 1]
    sources : int64 array [n_partial_rows]
        Partial rows of each block row, in the order of the tiles.
    first_col, last_col : int
        Columns.
    half : bool
        Round sums of two or more to float16.
    """
    task = partial(_add_range, partials, sources_indptr, sources, block_size, first_col, last_col, half)
    workers.run(task, len(sources_indptr) - 1, done)


@kernel
def _add_range(
    partials: F32Array,
    sources_indptr: IntArray,
    sources: IntArray,
    block_size: int,
    first_col: int,
    last_col: int,
    half: bool,
    first: int,
    last: int,
) -> None:
    for row in range(first, last):
        begin, end = sources_indptr[row], sources_indptr[row + 1]
        if end - begin < 2:
            continue
        for part in range(block_size):
            total = partials[sources[begin] * block_size + part, first_col:last_col]
            for source in range(begin + 1, end):
                added = partials[sources[source] * block_size + part, first_col:last_col]
                for col in range(len(total)):
                    total[col] += added[col]
            for col in range(len(total)):
                number = half_grid(total[col]) if half else total[col]
                total[col] = number if number == number else _NAN


def store_rows(
    partials: F32Array,
    sources_indptr: IntArray,
    sources: IntArray,
    row_order: IntArray,
    block_size: int,
    cols: tuple[int, int],
    out: F32Array,
    place: tuple[int, int, int],
    half: bool,
    workers: Workers,
) -> None:
    """Copy the first partial row of every block row that has any to its place in the result.

    Parameters
    ----------
    partials, sources_indptr, sources, block_size
        As in :func:`add_sources`.
    row_order : int64 array [n_rows]
        Block row of the result for each block row.
    cols : tuple of two int
        First column and end.
    out : float32 array [:]
    place : tuple of three int
        Where in `out` the first of these columns of row 0 goes, and the distances to the next row and column.
    half : bool
        Round to float16.
    """
    task = partial(_store_range, partials, sources_indptr, sources, row_order, block_size, *cols, out, *place, half)
    workers.run(task, len(row_order))


@kernel
def _store_range(
    partials: F32Array,
    sources_indptr: IntArray,
    sources: IntArray,
    row_order: IntArray,
    block_size: int,
    first_col: int,
    last_col: int,
    out: F32Array,
    start: int,
    row_step: int,
    col_step: int,
    half: bool,
    first: int,
    last: int,
) -> None:
    for begin in range(first, last, _LINES):
        if col_step == 1:
            _store_part(
                partials, sources_indptr, sources, row_order, block_size, first_col, last_col, out, start, row_step, 1,
                half, begin, min(begin + _LINES, last),
            )  # fmt: skip
            continue
        for col in range(first_col, last_col, _LINES):
            _store_part(
                partials, sources_indptr, sources, row_order, block_size, col, min(col + _LINES, last_col), out,
                start + (col - first_col) * col_step, row_step, col_step, half, begin, min(begin + _LINES, last),
            )  # fmt: skip


@inner_kernel
def _store_part(
    partials: F32Array,
    sources_indptr: IntArray,
    sources: IntArray,
    row_order: IntArray,
    block_size: int,
    first_col: int,
    last_col: int,
    out: F32Array,
    start: int,
    row_step: int,
    col_step: int,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Copy the rows ``first:last``; small squares at a time keep a transposed result in the cache."""
    for row in range(first, last):
        if sources_indptr[row] == sources_indptr[row + 1]:
            continue
        source = sources[sources_indptr[row]] * block_size
        for part in range(block_size):
            numbers = partials[source + part, first_col:last_col]
            place = start + (row_order[row] * block_size + part) * row_step
            if col_step == 1:
                target = out[place : place + len(numbers)]
                for col in range(len(numbers)):
                    target[col] = half_grid(numbers[col]) if half else numbers[col]
            else:
                for col in range(len(numbers)):
                    out[place + col * col_step] = half_grid(numbers[col]) if half else numbers[col]
