"""Products at chosen places only: ``sums[place] += left[row] . right[col]``, tile by tile.

A tile copies the lines of its operands when a non-zero first needs them; the products of a non-zero are added up first,
and their sum is added to what was there. Places are single elements or blocks.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray
from ipusim.kernels.block_row import BAND_ROWS, LANES, block_row
from ipusim.kernels.dots import DOT_LANES, DOTS, dots
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.lines import Lines, borrowed_lines, fetch_line
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import FLOAT32, borrowed, half_grid
from ipusim.kernels.workers import Done, Workers

_NAN = np.float32(np.nan)


class Places(NamedTuple):
    """Where products are wanted, as metadata of buckets.

    Attributes
    ----------
    words : uint16 array [n_buckets, words]
    bucket, region : int64 array [n_tiles]
        Bucket that each tile works on, and identity of the sub-groups that are for the tile.
    header, block_size, dense_unit : int
        As in :class:`~ipusim.kernels.dynamic_product.Form`.
    """

    words: NDArray[np.uint16]
    bucket: IntArray
    region: IntArray
    header: int
    block_size: int
    dense_unit: int


class Runs(NamedTuple):
    """Where products are wanted, as runs of places: one run for each tile.

    Attributes
    ----------
    indptr : int64 array [n_runs + 1]
        The places of each run, in its own order.
    rows, cols : int64 array [n_places]
        Block rows and block columns.
    local_rows, local_cols : int64 array [n_places]
        Number of that row or column among the different ones of the run; equal rows stand together.
    n_rows, n_cols : int64 array [n_runs]
        Different rows and columns of a run.
    block_size : int
    """

    indptr: IntArray
    rows: IntArray
    cols: IntArray
    local_rows: IntArray
    local_cols: IntArray
    n_rows: IntArray
    n_cols: IntArray
    block_size: int


class _Local(NamedTuple):
    """A tile's own copies of the lines that it needed so far, in memory that :class:`_Room` owns."""

    left: F32Array
    right: F32Array
    has_left: NDArray[np.bool_]
    has_right: NDArray[np.bool_]
    products: F32Array
    addresses: IntArray
    depth: int
    panel: int


class _Room(NamedTuple):
    """Memory for one tile after the other."""

    lines: F32Array
    flags: NDArray[np.bool_]
    addresses: IntArray


def sample_buckets(
    places: Places, left: Lines, right: Lines, sums: F32Array, half: bool, workers: Workers, done: Done | None = None
) -> None:
    """Add the products of every tile's operands to the sums of the bucket that it works on.

    Parameters
    ----------
    places : Places
        No two tiles work on the same bucket.
    left, right : Lines
        Operands with the rows and with the columns of the places.
    sums : float32 array [n_buckets, groups * block_size * block_size]
    half : bool
        Round the sums to float16.
    workers : Workers
    done : callable, optional
        Told which fraction is done.

    Notes
    -----
    The products of a block element are one chain of fused multiply-adds in float32, in the order of the columns; those
    of a single element are chains in :data:`~ipusim.kernels.dots.DOT_LANES` lanes. NaN sums have the bits of
    ``np.float32("nan")``.
    """
    workers.run(partial(_bucket_range, places, left, right, sums, half), len(places.bucket), done)


def sample_runs(
    runs: Runs,
    intervals: IntArray,
    left: Lines,
    right: Lines,
    sums: F32Array,
    half: bool,
    workers: Workers,
    done: Done | None = None,
) -> None:
    """Add the products of all runs in some column intervals to their sums, which every interval has for itself.

    Parameters
    ----------
    runs : Runs
    intervals : int64 array [n]
        Number of each interval: where its pieces are in the operands, and its sums.
    left, right : Lines
        The columns of every interval, of all rows.
    sums : float32 array [n_intervals, n_places * block_size * block_size]
    half, workers, done
        As in :func:`sample_buckets`.
    """
    n_runs = len(runs.n_rows)
    workers.run(partial(_run_range, runs, intervals, left, right, sums, half), len(intervals) * n_runs, done)


@kernel
def _run_range(
    runs: Runs, intervals: IntArray, left: Lines, right: Lines, sums: F32Array, half: bool, first: int, last: int
) -> None:
    size, n_runs = runs.block_size, len(runs.n_rows)
    left, right, sums = borrowed_lines(left), borrowed_lines(right), borrowed(sums)
    rows, local_rows, cols = borrowed(runs.rows), borrowed(runs.local_rows), borrowed(runs.cols)
    local_cols = borrowed(runs.local_cols)
    deepest = 0
    for interval in intervals:
        deepest = max(deepest, _depth(left, interval, size))
    room = _room(runs.n_rows.max(), runs.n_cols.max(), size, deepest)
    for task in range(first, last):
        interval, run = intervals[task // n_runs], task % n_runs
        local = _cleared(room, runs.n_rows[run], runs.n_cols[run], size, _depth(left, interval, size))
        place, end = runs.indptr[run], runs.indptr[run + 1]
        while place < end:
            row, local_row = rows[place], local_rows[place]
            if size > 1:
                _block(
                    row, local_row, cols[place], local_cols[place], size, left, right, interval, local,
                    sums[interval, place * size * size :], half,
                )  # fmt: skip
                place += 1
                continue
            stop = place + 1
            while stop < end and local_rows[stop] == local_row:
                stop += 1
            _row_of_elements(
                row, local_row, cols[place:stop], local_cols[place:stop], left, right, interval, local,
                sums[interval, place:], half,
            )  # fmt: skip
            place = stop


@kernel
def _bucket_range(places: Places, left: Lines, right: Lines, sums: F32Array, half: bool, first: int, last: int) -> None:
    size = places.block_size
    single = size == 1
    left, right, sums = borrowed_lines(left), borrowed_lines(right), borrowed(sums)
    n_rows, n_cols, deepest = left.n_rows // size, right.n_rows // size, 0
    for tile in range(first, last):
        deepest = max(deepest, _depth(left, tile, size))
    room = _room(n_rows, n_cols, size, deepest)
    numbers = np.empty(places.words.shape[1], dtype=np.int64)
    for tile in range(first, last):
        cols = borrowed(numbers)
        bucket = places.bucket[tile]
        words, here, slot = borrowed(places.words)[bucket], 0, 0
        if words[0] == 0:
            continue
        local = _cleared(room, n_rows, n_cols, size, _depth(left, tile, size))
        while words[here] != 0:
            if words[here] == places.region[tile]:
                cursor = here + places.header
                place = slot * size * size
                for _ in range(int(words[here + (6 if single else 5)]) + 1):
                    row, count = int(words[cursor]) // size, int(words[cursor + 1]) + (0 if single else 1)
                    cursor += 2
                    for i in range(count):
                        cols[i] = int(words[cursor + i]) // places.dense_unit
                    if single:
                        mine = cols[:count]
                        _row_of_elements(row, row, mine, mine, left, right, tile, local, sums[bucket, place:], half)
                    else:
                        for i in range(count):
                            target = sums[bucket, place + i * size * size :]
                            _block(row, row, cols[i], cols[i], size, left, right, tile, local, target, half)
                    cursor += count
                    place += count * size * size
            slot += int(words[here + 3])
            here += int(words[here + 4])


@inner_kernel
def _depth(left: Lines, tile: int, size: int) -> int:
    """Return the length of a tile's lines: single elements have lines of whole chunks."""
    depth = 0
    for piece in range(left.segments[tile], left.segments[tile + 1]):
        box = left.boxes[piece]
        depth += box[3] - box[2] if left.flipped else box[5] - box[4]
    return (depth + DOT_LANES - 1) // DOT_LANES * DOT_LANES if size == 1 else depth


@inner_kernel
def _panel(size: int) -> int:
    """Return the elements between two steps of depth of a block column: a whole vector for those of blocks."""
    return 1 if size == 1 else (size + LANES - 1) // LANES * LANES


@inner_kernel
def _room(n_rows: int, n_cols: int, size: int, depth: int) -> _Room:
    """Return room for tiles of at most so many block rows and columns, and lines of that length."""
    panel = _panel(size)
    lines = (n_rows * size + n_cols * panel) * depth + max(DOTS, BAND_ROWS * panel)
    return _Room(
        np.empty(lines, dtype=np.float32), np.empty(n_rows + n_cols, dtype=np.bool_), np.empty(DOTS, dtype=np.int64)
    )


@inner_kernel
def _cleared(room: _Room, n_rows: int, n_cols: int, size: int, depth: int) -> _Local:
    """Return room for the lines of a tile, all zero: those of blocks in panels."""
    panel = _panel(size)
    lines, flags = borrowed(room.lines), borrowed(room.flags)
    middle, end = n_rows * size * depth, (n_rows * size + n_cols * panel) * depth
    lines[:end] = np.float32(0.0)
    flags[: n_rows + n_cols] = False
    products = lines[end : end + max(DOTS, BAND_ROWS * panel)]
    products[:] = np.float32(0.0)
    return _Local(
        lines[:middle],
        lines[middle:end],
        flags[:n_rows],
        flags[n_rows : n_rows + n_cols],
        products,
        borrowed(room.addresses),
        depth,
        panel,
    )


@inner_kernel
def _row_of_elements(
    row: int,
    local_row: int,
    cols: IntArray,
    local_cols: IntArray,
    left: Lines,
    right: Lines,
    tile: int,
    local: _Local,
    sums: F32Array,
    half: bool,
) -> None:
    """Add the products of single elements in one row to their sums."""
    depth = local.depth
    if not local.has_left[local_row]:
        fetch_line(left, tile, row, local.left.ctypes.data + 4 * local_row * depth, 1)
        local.has_left[local_row] = True
    line = local.left.ctypes.data + 4 * local_row * depth
    for begin in range(0, len(cols), DOTS):
        held = min(DOTS, len(cols) - begin)
        for i in range(held):
            col = local_cols[begin + i]
            address = local.right.ctypes.data + 4 * col * depth
            if not local.has_right[col]:
                fetch_line(right, tile, cols[begin + i], address, 1)
                local.has_right[col] = True
            local.addresses[i] = address
        if held == DOTS:
            dots(True, line, local.addresses.ctypes.data, depth // DOT_LANES, local.products.ctypes.data)
        else:
            for i in range(held):
                one = local.addresses.ctypes.data + 8 * i
                dots(False, line, one, depth // DOT_LANES, local.products.ctypes.data + 4 * i)
        _add(local.products, held, sums[begin:], half)


@inner_kernel
def _block(
    row: int,
    local_row: int,
    col: int,
    local_col: int,
    size: int,
    left: Lines,
    right: Lines,
    tile: int,
    local: _Local,
    sums: F32Array,
    half: bool,
) -> None:
    """Add the products of one block to its sums."""
    depth, panel = local.depth, local.panel
    line = local_row * size * depth
    if not local.has_left[local_row]:
        for i in range(size):
            fetch_line(left, tile, row * size + i, local.left.ctypes.data + 4 * (line + i * depth), 1)
        local.has_left[local_row] = True
    start = local_col * panel * depth
    if not local.has_right[local_col]:
        for i in range(size):
            fetch_line(right, tile, col * size + i, local.right.ctypes.data + 4 * (start + i), panel)
        local.has_right[local_col] = True
    local.addresses[0] = 0
    for part in range(0, size, BAND_ROWS):
        block_row(
            False, panel // LANES, FLOAT32, local.left.ctypes.data + 4 * (line + part * depth), 0, 4 * depth,
            depth, local.addresses.ctypes.data, 1, local.right.ctypes.data + 4 * start, 4 * panel,
            local.products.ctypes.data, 4 * panel, False, 0, 0, 0, 0,
        )  # fmt: skip
        for i in range(BAND_ROWS):
            _add(local.products[i * panel :], size, sums[(part + i) * size :], half)


@inner_kernel
def _add(products: F32Array, count: int, sums: F32Array, half: bool) -> None:
    for i in range(count):
        total = sums[i] + products[i]
        total = half_grid(total) if half else total
        sums[i] = total if total == total else _NAN
