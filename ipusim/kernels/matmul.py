"""Dense products of many vertices: ``out[box] (=|+=) left[box] @ right[box]``, byte-identical on every machine.

Vertices share operands: a block of the left matrix is multicast to all vertices of a row of the partition, a block of
the right one to all of a column. Each distinct block is packed once (:mod:`ipusim.kernels.packing`), and the vertices
then run on packed blocks (:mod:`ipusim.kernels.tile_product`).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ipusim.ir.regions import IntArray, volume
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array, PackedBlocks, Packings, distinct, panel_lines
from ipusim.kernels.scalars import FLOAT32, LINE_BYTES, NEAREST, STOCHASTIC, signed_word, span
from ipusim.kernels.tile_product import COLUMNS, LANES, ROWS, UNIT_ROWS, tile_product
from ipusim.kernels.workers import Done, Workers, share_of

DEPTH_BLOCK = 384
"""Products between two visits of a register tile to memory: a packed panel of this depth stays in the L1 cache."""

WORKSPACE_BYTES = 1 << 29
"""Packed blocks above this are made and used in several passes."""


def multiply_boxes(
    left: F32Array,
    right: F32Array,
    out: F32Array,
    left_box: IntArray,
    right_box: IntArray,
    out_box: IntArray,
    workers: Workers,
    transpose_left: bool = False,
    transpose_right: bool = False,
    accumulate: bool = False,
    round_every: int = 0,
    key: int | None = None,
    done: Done | None = None,
    packings: Packings | None = None,
) -> None:
    """Compute ``out[out_box[v]] (=|+=) left[left_box[v]] @ right[right_box[v]]`` for every vertex ``v``.

    Every element starts at 0, or at what `out` holds, and takes one fused multiply-add in float32 after the other in
    ascending depth. NaN results have the bits of ``np.float32("nan")``.

    Parameters
    ----------
    left, right, out : float32 arrays [groups, rows, cols]
        C-contiguous stacks of matrices.
    left_box, right_box, out_box : int64 arrays [n, 6]
        Half-open bounds ``g0, g1, r0, r1, c0, c1`` in the arrays as they are stored. What lies outside of an array
        counts as zero and is not written. A left or right box of one group serves all groups of its vertex.
    workers : Workers
    transpose_left, transpose_right : bool
        The stored matrix is the transpose of the operand.
    accumulate : bool
        Add to what `out` holds.
    round_every : int
        0 for float32 sums. Otherwise the sum is rounded to float16 after every so many products, counted from the
        start of the box, and after the last.
    key : int, optional
        Round to float16 stochastically, with random bits that follow from these 64 bits, the number of the element in
        `out` and how often it was rounded before; to nearest by default.
    done : callable, optional
        Told which fraction of the work is done.
    packings : Packings, optional
        Blocks of earlier products, which are used again where they are the same.

    Raises
    ------
    ValueError
        The boxes of a vertex have different numbers of groups.
    """
    lefts, rights, outs = _one_group_each(_clip(left_box, left), _clip(right_box, right), _clip(out_box, out))
    left_blocks, right_blocks = distinct(lefts), distinct(rights)
    depth_start = lefts[:, 2 if transpose_left else 4]
    order = np.lexsort((left_blocks.which, right_blocks.which, depth_start))
    workspace_bytes = 4 * (int(volume(left_blocks.boxes).sum()) + int(volume(right_blocks.boxes).sum()))
    n_passes = max(1, min(len(order), 1 + workspace_bytes // WORKSPACE_BYTES))
    keep = packings if packings is not None and n_passes == 1 else Packings()
    for number, vertices in enumerate(np.array_split(order, n_passes)):
        used_left, which_left = np.unique(left_blocks.which[vertices], return_inverse=True)
        used_right, which_right = np.unique(right_blocks.which[vertices], return_inverse=True)
        boxes = left_blocks.boxes[used_left], right_blocks.boxes[used_right]
        packed_left = keep.pack(left, boxes[0], not transpose_left, ROWS, UNIT_ROWS, workers)
        packed_right = keep.pack(right, boxes[1], transpose_right, COLUMNS, LANES, workers)
        task = partial(
            _multiply_range,
            out,
            outs[vertices],
            packed_left,
            which_left,
            packed_right,
            which_right,
            accumulate,
            round_every,
            (NEAREST if key is None else STOCHASTIC) if round_every else FLOAT32,
            signed_word(key or 0),
        )
        workers.run(task, len(vertices), share_of(done, number, n_passes))


def _clip(box: IntArray, array: F32Array) -> IntArray:
    """Return the part of each box that lies inside of the array; empty extents are kept as empty."""
    groups, rows, cols = array.shape
    limits = np.array([groups, groups, rows, rows, cols, cols], dtype=np.int64)
    clipped: IntArray = np.clip(box, 0, limits)
    return clipped


def _one_group_each(left: IntArray, right: IntArray, out: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the boxes of the single matrices that the vertices multiply, one row for each group of each vertex."""
    counts = out[:, 1] - out[:, 0]
    for box in (left, right):
        have = box[:, 1] - box[:, 0]
        if np.any((have != counts) & (have != 1)):
            raise ValueError("the operands of a matrix product have different numbers of groups")
    if np.all(counts == 1):
        return left, right, out
    vertex = np.repeat(np.arange(len(out)), counts)
    group = np.arange(len(vertex)) - np.repeat(np.cumsum(counts) - counts, counts)
    expanded = []
    for box in (left, right, out):
        single = box[vertex]
        single[:, 0] += np.where(single[:, 1] - single[:, 0] > 1, group, 0)
        single[:, 1] = single[:, 0] + 1
        expanded.append(single)
    return expanded[0], expanded[1], expanded[2]


@kernel
def _multiply_range(
    out: F32Array,
    bounds: IntArray,
    left: PackedBlocks,
    which_left: IntArray,
    right: PackedBlocks,
    which_right: IntArray,
    accumulate: bool,
    round_every: int,
    rounding: int,
    key: int,
    first: int,
    last: int,
) -> None:
    """Multiply the packed blocks of the vertices ``first:last`` into their boxes of `out`.

    The sums of a vertex are formed in `sums`, one register tile ``[height, width]`` after the other, as its tile of the
    chip does in its own memory. Whole register tiles go to `out` at the last visit; those that an edge cuts are copied.
    """
    sums = np.empty(_most_sums(left, which_left, right, which_right, first, last), dtype=np.float32)
    block = DEPTH_BLOCK if round_every == 0 else max(1, DEPTH_BLOCK // round_every) * round_every
    stride = out.shape[2]
    for vertex in range(first, last):
        lines_left, depth_left = left.extents[which_left[vertex]]
        lines_right, depth_right = right.extents[which_right[vertex]]
        start_left = left.values.ctypes.data + 4 * left.starts[which_left[vertex]]
        start_right = right.values.ctypes.data + 4 * right.starts[which_right[vertex]]
        after = min(vertex + 1, last - 1)
        height_first = panel_lines(lines_left, 0, ROWS, UNIT_ROWS)
        depth = min(depth_left, depth_right)
        box = bounds[vertex]
        rows, cols = box[3] - box[2], box[5] - box[4]
        if not accumulate:
            _clear_beyond(out[box[0]], box, min(lines_left, rows) if depth > 0 else 0, lines_right)
        number = (box[0] * out.shape[1] + box[2]) * stride + box[4]
        corner = out.ctypes.data + 4 * number
        for start in range(0, depth, block):
            products = min(block, depth - start)
            group = products if round_every == 0 else round_every
            begins, ends = start == 0, start + products == depth
            place = 0
            for col in range(0, lines_right, COLUMNS):
                width = panel_lines(lines_right, col, COLUMNS, LANES)
                panel_right = start_right + 4 * (col * depth_right + start * width)
                next_right = panel_right + 4 * width * depth_right
                if col + width >= lines_right and ends:
                    next_right = right.values.ctypes.data + 4 * right.starts[which_right[after]]
                for row in range(0, lines_left, ROWS):
                    height = panel_lines(lines_left, row, ROWS, UNIT_ROWS)
                    panel_left = start_left + 4 * (row * depth_left + start * height)
                    next_left = panel_left + 4 * height * depth_left
                    if row + height >= lines_left and ends:
                        next_left = left.values.ctypes.data + 4 * left.starts[which_left[after]]
                    elif row + height >= lines_left:
                        next_left = start_left + 4 * (start + products) * height_first
                    whole = row + height <= rows and col + width <= cols
                    tile = sums.ctypes.data + 4 * place
                    target = corner + 4 * (row * stride + col)
                    if begins and accumulate and not whole:
                        _copy_edge(tile, target, stride, rows - row, cols - col, height, width, False)
                    from_out, to_out = begins and accumulate and whole, ends and whole
                    tile_product(
                        height // UNIT_ROWS,
                        width // LANES,
                        rounding,
                        panel_left,
                        panel_right,
                        accumulate or not begins,
                        target if from_out else tile,
                        stride if from_out else width,
                        target if to_out else tile,
                        stride if to_out else width,
                        products,
                        group,
                        next_left,
                        next_right + LINE_BYTES * products * (row // ROWS % 2),
                        number + row * stride + col,
                        stride,
                        start // block * max(1, block // group),
                        key,
                    )
                    if ends and not whole:
                        _copy_edge(tile, target, stride, rows - row, cols - col, height, width, True)
                    place += height * width


@inner_kernel
def _most_sums(
    left: PackedBlocks, which_left: IntArray, right: PackedBlocks, which_right: IntArray, first: int, last: int
) -> int:
    """Return the elements of the largest product of the vertices ``first:last``, in whole register tiles."""
    most = 0
    for vertex in range(first, last):
        rows = (left.extents[which_left[vertex], 0] + UNIT_ROWS - 1) // UNIT_ROWS * UNIT_ROWS
        cols = (right.extents[which_right[vertex], 0] + LANES - 1) // LANES * LANES
        most = max(most, rows * cols)
    return most


@inner_kernel
def _clear_beyond(matrix: F32Array, box: IntArray, rows: int, cols: int) -> None:
    """Set the elements of a box past its first `rows` rows and past its first `cols` columns to zero."""
    for row in range(box[2], box[3]):
        start = box[4] + cols if row < box[2] + rows else box[4]
        for col in range(start, box[5]):
            matrix[row, col] = np.float32(0.0)


@inner_kernel
def _copy_edge(tile: int, target: int, stride: int, rows: int, cols: int, height: int, width: int, store: bool) -> None:
    """Copy between a tile of `height` by `width` and the `rows` by `cols` that are left at `target`, there if `store`.

    What the tile has beyond is zero, or stays out.
    """
    if not store:
        span(tile, height * width)[:] = np.float32(0.0)
    for row in range(min(height, rows)):
        numbers = span(target + 4 * row * stride, min(width, cols))
        line = span(tile + 4 * row * width, width)
        if store:
            for i in range(len(numbers)):
                numbers[i] = line[i]
        else:
            for i in range(len(numbers)):
                line[i] = numbers[i]
