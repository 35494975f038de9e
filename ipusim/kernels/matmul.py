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
from ipusim.kernels.packing import F32Array, PackedBlocks, distinct, pack, panel_lines
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
    done: Done | None = None,
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
    done : callable, optional
        Told which fraction of the work is done.

    Raises
    ------
    ValueError
        The boxes of a vertex have different numbers of groups.
    """
    lefts, rights, outs = _one_group_each(_clip(left_box, left), _clip(right_box, right), _clip(out_box, out))
    left_blocks, right_blocks = distinct(lefts), distinct(rights)
    depth_start = lefts[:, 2 if transpose_left else 4]
    order = np.lexsort((left_blocks.which, right_blocks.which, depth_start))
    pack_left = partial(pack, left, left_blocks, not transpose_left, ROWS, UNIT_ROWS, workers)
    pack_right = partial(pack, right, right_blocks, transpose_right, COLUMNS, LANES, workers)
    workspace_bytes = 4 * (int(volume(left_blocks.boxes).sum()) + int(volume(right_blocks.boxes).sum()))
    n_passes = min(len(order), 1 + workspace_bytes // WORKSPACE_BYTES)
    for number, vertices in enumerate(np.array_split(order, max(1, n_passes))):
        task = partial(
            _multiply_range, out, outs[vertices], pack_left(vertices), pack_right(vertices), accumulate, round_every
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
    right: PackedBlocks,
    accumulate: bool,
    round_every: int,
    first: int,
    last: int,
) -> None:
    """Multiply the packed blocks of the vertices ``first:last`` into their boxes of `out`.

    The sums of a vertex are formed in `sums`, one register tile ``[height, width]`` after the other, as its tile of the
    chip does in its own memory.
    """
    sums = np.empty(_most_sums(left, right, first, last), dtype=np.float32)
    block = DEPTH_BLOCK if round_every == 0 else max(1, DEPTH_BLOCK // round_every) * round_every
    for vertex in range(first, last):
        which_left, which_right = left.which[vertex], right.which[vertex]
        lines_left, lines_right = left.extents[which_left, 0], right.extents[which_right, 0]
        depth_left, depth_right = left.extents[which_left, 1], right.extents[which_right, 1]
        start_left = left.values.ctypes.data + 4 * left.starts[which_left]
        start_right = right.values.ctypes.data + 4 * right.starts[which_right]
        depth = min(depth_left, depth_right)
        box = bounds[vertex]
        target = out[box[0]]
        sums[:] = np.float32(0.0)
        if accumulate:
            _exchange_sums(target, box, sums, lines_left, lines_right, False)
        else:
            target[box[2] + lines_left : box[3], box[4] : box[5]] = np.float32(0.0)
            target[box[2] : box[3], box[4] + lines_right : box[5]] = np.float32(0.0)
        for start in range(0, depth, block):
            products = min(block, depth - start)
            group = products if round_every == 0 else round_every
            place = sums.ctypes.data
            for col in range(0, lines_right, COLUMNS):
                width = panel_lines(lines_right, col, COLUMNS, LANES)
                panel_right = start_right + 4 * (col * depth_right + start * width)
                for row in range(0, lines_left, ROWS):
                    height = panel_lines(lines_left, row, ROWS, UNIT_ROWS)
                    panel_left = start_left + 4 * (row * depth_left + start * height)
                    ahead = panel_left + 4 * height * depth_left
                    if row + height >= lines_left:
                        ahead = start_left + 4 * (start + products) * panel_lines(lines_left, 0, ROWS, UNIT_ROWS)
                    tile_product(
                        height // UNIT_ROWS,
                        width // LANES,
                        round_every > 0,
                        panel_left,
                        panel_right,
                        place,
                        products,
                        group,
                        ahead,
                    )
                    place += 4 * height * width
        _exchange_sums(target, box, sums, lines_left, lines_right, True)


@inner_kernel
def _most_sums(left: PackedBlocks, right: PackedBlocks, first: int, last: int) -> int:
    """Return the elements of the largest product of the vertices ``first:last``, in whole register tiles."""
    most = 0
    for vertex in range(first, last):
        rows = (left.extents[left.which[vertex], 0] + UNIT_ROWS - 1) // UNIT_ROWS * UNIT_ROWS
        cols = (right.extents[right.which[vertex], 0] + LANES - 1) // LANES * LANES
        most = max(most, rows * cols)
    return most


@inner_kernel
def _exchange_sums(matrix: F32Array, box: IntArray, sums: F32Array, rows: int, cols: int, store: bool) -> None:
    """Copy between a box of a matrix and the register tiles of a product of `rows` by `cols`, into the box if `store`.

    What the product has beyond the box stays out; what the box has beyond the product is left as it is.
    """
    place = 0
    for col in range(0, cols, COLUMNS):
        width = panel_lines(cols, col, COLUMNS, LANES)
        held = min(width, box[5] - box[4] - col)
        for row in range(0, rows, ROWS):
            height = panel_lines(rows, row, ROWS, UNIT_ROWS)
            for i in range(min(height, box[3] - box[2] - row)):
                numbers = matrix[box[2] + row + i][box[4] + col : box[5]]
                tile_row = sums[place + i * width : place + (i + 1) * width]
                if store:
                    for j in range(held):
                        numbers[j] = tile_row[j]
                else:
                    for j in range(held):
                        tile_row[j] = numbers[j]
            place += height * width
