"""Lines of the dense matrices that tiles have in pieces, and copies of them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from ipusim.ir.regions import IntArray
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import borrowed, span
from ipusim.kernels.workers import Workers


class Lines(NamedTuple):
    """The pieces of a dense matrix that each tile has.

    Attributes
    ----------
    values : float32 array [groups, rows, cols]
    boxes : int64 array [n_pieces, 6]
        What lies outside of `values` is zero; side by side the pieces of a tile are its columns.
    segments : int64 array [n_tiles + 1]
        Pieces of each tile.
    flipped : bool
        Rows of `values` are columns of the matrix.
    n_rows : int
        Most rows of a tile.
    """

    values: F32Array
    boxes: IntArray
    segments: IntArray
    flipped: bool
    n_rows: int


def copy_lines(lines: Lines, out: F32Array, workers: Workers) -> None:
    """Copy what each tile has of an operand to its own matrix in `out`: float32 array [n_tiles, rows, cols]."""
    workers.run(partial(_copy_range, lines, out), len(out))


@kernel
def _copy_range(lines: Lines, out: F32Array, first: int, last: int) -> None:
    lines = borrowed_lines(lines)
    for tile in range(first, last):
        for row in range(lines.n_rows):
            fetch_line(lines, tile, row, out[tile, row].ctypes.data, 1)


@inner_kernel
def borrowed_lines(lines: Lines) -> Lines:
    """Return the same lines, whose arrays count no references."""
    return Lines(
        borrowed(lines.values), borrowed(lines.boxes), borrowed(lines.segments), lines.flipped, lines.n_rows
    )  # fmt: skip


@inner_kernel
def fetch_line(lines: Lines, tile: int, row: int, target: int, step: int) -> None:
    """Copy a row of what a tile has of a matrix to the address `target`, an element every `step`."""
    start = lines.values.ctypes.data
    rows, cols = lines.values.shape[1], lines.values.shape[2]
    for piece in range(lines.segments[tile], lines.segments[tile + 1]):
        box = lines.boxes[piece]
        r0, c0 = box[2], box[4]
        corner = (box[0] * rows + r0) * cols + c0
        if lines.flipped:
            if row < min(box[5], cols) - c0:
                _copy(start + 4 * (corner + row), cols, target, step, min(box[3], rows) - r0)
            target += 4 * step * (box[3] - r0)
            continue
        if row < min(box[3], rows) - r0:
            _copy(start + 4 * (corner + row * cols), 1, target, step, min(box[5], cols) - c0)
        target += 4 * step * (box[5] - c0)


@inner_kernel
def _copy(source: int, source_step: int, target: int, target_step: int, count: int) -> None:
    """Copy numbers from an address to another one."""
    numbers, line = span(source, count * source_step), span(target, count * target_step)
    if source_step == 1 and target_step == 1:
        for i in range(count):
            line[i] = numbers[i]
    else:
        for i in range(count):
            line[i * target_step] = numbers[i * source_step]
