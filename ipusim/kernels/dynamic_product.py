"""Products of dynamic sparse matmuls, tile by tile and bucket by bucket, from the metadata that lies on the tiles.

A tile looks through the sub-groups of the buckets that it holds and multiplies those of its own region; its sums are in
its own memory, and every product is added to what the ones before it left there.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray
from ipusim.kernels.block_row import BAND_ROWS, BAND_VECTORS, LANES, SINGLE_VECTORS, block_row
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import FLOAT32, NEAREST, STOCHASTIC, borrowed, span
from ipusim.kernels.workers import Done, Workers


class Held(NamedTuple):
    """The buckets, and which of them every tile looks through.

    Attributes
    ----------
    words : uint16 array [n_buckets, words]
        Metadata.
    values : float32 array [n_buckets, groups * block_size * block_size]
        Blocks; transposed ones for the transposed pass.
    first, n_buckets : int64 array [n_tiles]
        First bucket of each tile, and how many that follow it.
    region : int64 array [n_tiles]
        Identity of each tile's own sub-groups.
    """

    words: NDArray[np.uint16]
    values: F32Array
    first: IntArray
    n_buckets: IntArray
    region: IntArray


class Matrix(NamedTuple):
    """The pieces of a dense matrix that each tile has.

    Attributes
    ----------
    values : float32 array [groups, rows, cols]
    boxes : int64 array [n_pieces, 6]
        What lies outside of `values` is zero, and not written.
    flipped : bool
        Rows of `values` are columns of the matrix.
    rows : int
        Most rows of a tile.
    """

    values: F32Array
    boxes: IntArray
    flipped: bool
    rows: int


class Form(NamedTuple):
    """How metadata are to be read, and how sums are formed.

    Attributes
    ----------
    header : int
        Words of a sub-group before its rows.
    block_size : int
    dense_unit : int
        What the offset of a non-zero counts for each block column.
    transposed : bool
        Multiply with the transpose: the rows of the metadata are the inner extent.
    half : bool
        Round sums to float16 whenever they are stored: after every block.
    cleared : bool
        The sums start from zero, whatever `out` holds.
    stochastic : bool
        Round at random, else to nearest.
    key : int
        For stochastic rounding: a signed word of 64 bits that chooses the random bits, with tile, place and block.
    """

    header: int
    block_size: int
    dense_unit: int
    transposed: bool
    half: bool
    cleared: bool
    stochastic: bool = False
    key: int = 0


def multiply_buckets(
    held: Held, dense: Matrix, out: Matrix, segments: IntArray, form: Form, workers: Workers, done: Done | None = None
) -> None:
    """Add the products of the buckets of every tile to its sums.

    Parameters
    ----------
    held : Held
    dense, out : Matrix
    segments : int64 array [n_tiles + 1]
        Pieces of each tile in both matrices; side by side they are its columns.
    form : Form
    workers : Workers
    done : callable, optional
        Told which fraction is done.

    Notes
    -----
    Every product is one fused multiply-add in float32, in the order of the metadata. NaN results have the bits of
    ``np.float32("nan")``.
    """
    workers.run(partial(_multiply_range, held, dense, out, segments, form), len(held.first), done)


def turn_blocks(values: F32Array, out: F32Array, block_size: int, workers: Workers) -> None:
    """Transpose every block of all buckets: float32 arrays [n_buckets, groups * block_size * block_size]."""
    workers.run(partial(_turn_range, values, out, block_size), len(values))


@kernel
def _turn_range(values: F32Array, out: F32Array, block_size: int, first: int, last: int) -> None:
    for bucket in range(first, last):
        for start in range(0, values.shape[1], block_size * block_size):
            for i in range(block_size):
                for j in range(block_size):
                    out[bucket, start + i * block_size + j] = values[bucket, start + j * block_size + i]


@kernel
def _multiply_range(
    held: Held, dense: Matrix, out: Matrix, segments: IntArray, form: Form, first: int, last: int
) -> None:
    """Multiply what the tiles ``first:last`` hold."""
    single = form.block_size == 1
    most = LANES * (SINGLE_VECTORS if single else BAND_VECTORS)
    places = np.empty(held.values.shape[1] + 1, dtype=np.int64)
    dense, out = _borrowed(dense), _borrowed(out)
    words_of, values_of = borrowed(held.words), borrowed(held.values)
    for tile in range(first, last):
        if held.n_buckets[tile] == 0 and not form.cleared:
            continue
        begin, end = segments[tile], segments[tile + 1]
        width = (_columns(dense, begin, end) + LANES - 1) // LANES * LANES
        operand = np.zeros(dense.rows * width, dtype=np.float32)
        sums = np.zeros(out.rows * width, dtype=np.float32)
        _move(dense, begin, end, operand, width, most, False)
        if not form.cleared:
            _move(out, begin, end, sums, width, most, False)
        for bucket in range(held.first[tile], held.first[tile] + held.n_buckets[tile]):
            words, here, slot = words_of[bucket], 0, 0
            while words[here] != 0:
                if words[here] == held.region[tile]:
                    values = values_of[bucket, slot * form.block_size * form.block_size :]
                    _multiply_sub_group(
                        words[here:], values, form, operand, dense.rows, sums, out.rows, width, most, places,
                        tile * len(sums), bucket * values_of.shape[1] + slot,
                    )  # fmt: skip
                slot += int(words[here + 3])
                here += int(words[here + 4])
        _move(out, begin, end, sums, width, most, True)


@inner_kernel
def _borrowed(matrix: Matrix) -> Matrix:
    return Matrix(borrowed(matrix.values), borrowed(matrix.boxes), matrix.flipped, matrix.rows)


@inner_kernel
def _multiply_sub_group(
    words: NDArray[np.uint16],
    values: F32Array,
    form: Form,
    operand: F32Array,
    operand_rows: int,
    sums: F32Array,
    sums_rows: int,
    width: int,
    most: int,
    places: IntArray,
    number: int,
    step: int,
) -> None:
    """Multiply the rows of one sub-group, whose metadata begin `words` and whose blocks begin `values`.

    `number` is that of the first of the tile's sums among those of all tiles, `step` that of the first block among all.
    """
    rounding = (STOCHASTIC if form.stochastic else NEAREST) if form.half else FLOAT32
    size = form.block_size
    single = size == 1
    n_rows = int(words[6 if single else 5]) + 1
    unit = np.uint32(form.dense_unit)
    cursor = form.header
    value = values.ctypes.data
    block_bytes = 4 * size * size
    band = 1 if single else BAND_ROWS
    for _ in range(n_rows):
        row = int(words[cursor])
        count = int(words[cursor + 1]) + (0 if single else 1)
        for i in range(count):
            places[i] = np.uint32(words[cursor + 2 + i]) // unit
        places[count] = row // size
        start = places.ctypes.data
        for col in range(0, width, most):
            held = min(most, width - col)
            line = 4 * held
            panel = operand.ctypes.data + 4 * col * operand_rows
            panel_number = number + col * sums_rows
            target = sums.ctypes.data + 4 * col * sums_rows
            for part in range(0, size, band):
                if not form.transposed:
                    block_row(
                        single, held // LANES, rounding, value + 4 * size * part, block_bytes, 4 * size, size,
                        start, count, panel, line, target + (row + part) * line, line, True,
                        panel_number + (row + part) * held, held, step, form.key,
                    )  # fmt: skip
                    continue
                for i in range(count):
                    block_row(
                        single, held // LANES, rounding, value + i * block_bytes + 4 * size * part, block_bytes,
                        4 * size, size, start + 8 * count, 1, panel, line,
                        target + (places[i] * size + part) * line, line, True,
                        panel_number + (places[i] * size + part) * held, held, step + i, form.key,
                    )  # fmt: skip
        value += count * block_bytes
        step += count
        cursor += 2 + count


@inner_kernel
def _columns(matrix: Matrix, begin: int, end: int) -> int:
    """Return the columns of the pieces ``begin:end`` together."""
    total = 0
    for piece in range(begin, end):
        box = matrix.boxes[piece]
        total += box[3] - box[2] if matrix.flipped else box[5] - box[4]
    return total


@inner_kernel
def _move(matrix: Matrix, begin: int, end: int, local: F32Array, width: int, most: int, store: bool) -> None:
    """Copy the pieces ``begin:end`` between a matrix and a tile's memory, to the matrix if `store`.

    The tile's memory is panels of at most `most` of its `width` columns, one after the other: ``[rows, columns]`` each.
    """
    start, inner = local.ctypes.data, matrix.values.shape[2]
    first = 0
    for piece in range(begin, end):
        box = matrix.boxes[piece]
        corner = matrix.values.ctypes.data + 4 * ((box[0] * matrix.values.shape[1] + box[2]) * inner + box[4])
        rows = min(box[3], matrix.values.shape[1]) - box[2]
        cols = min(box[5], inner) - box[4]
        if matrix.flipped:
            for j in range(rows):
                panel = (first + j) // most
                held = min(most, width - panel * most)
                place = panel * most * matrix.rows + first + j - panel * most
                numbers, line = span(corner + 4 * j * inner, cols), span(start + 4 * place, cols * held)
                if store:
                    for i in range(cols):
                        numbers[i] = line[i * held]
                else:
                    for i in range(cols):
                        line[i * held] = numbers[i]
            first += box[3] - box[2]
            continue
        for i in range(rows):
            j = 0
            while j < cols:
                panel = (first + j) // most
                held = min(most, width - panel * most)
                run = min(cols - j, (panel + 1) * most - first - j)
                place = panel * most * matrix.rows + i * held + first + j - panel * most
                numbers, line = span(corner + 4 * (i * inner + j), run), span(start + 4 * place, run)
                if store:
                    for k in range(run):
                        numbers[k] = line[k]
                else:
                    for k in range(run):
                        line[k] = numbers[k]
                j += run
        first += box[5] - box[4]
