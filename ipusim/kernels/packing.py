"""Copies boxes of a stack of matrices into panels: the order in which the register tiles read them.

A packed box is a row of panels of `full` lines each, except that the last is narrower. A panel is ``[depth, lines]``,
so that one step of depth is contiguous. Lines past the end of the box are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray
from ipusim.kernels.buffers import LINE_ELEMENTS, Buffers
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.scalars import span
from ipusim.kernels.workers import Workers

F32Array = NDArray[np.float32]

_DEPTH_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Blocks:
    """The different blocks of an operand that vertices read.

    Attributes
    ----------
    boxes : int64 array [n_blocks, 6]
        One group each.
    which : int64 array [n_vertices]
        Index of the block of each vertex.
    """

    boxes: IntArray
    which: IntArray


class PackedBlocks(NamedTuple):
    """Blocks in panels, for kernels.

    Attributes
    ----------
    values : float32 array [:]
    starts : int64 array [n_blocks]
        Where each block begins in `values`; a multiple of a cache line.
    extents : int64 array [n_blocks, 2]
        Lines and depth of each block.
    """

    values: F32Array
    starts: IntArray
    extents: IntArray


class Packings:
    """Keeps the blocks that were packed last for each side of a product: a loop over slices needs one of them again.

    Whoever writes to an array has to say so with :meth:`forget`.

    Parameters
    ----------
    buffers : Buffers, optional
        Where the room for packed blocks comes from.
    """

    def __init__(self, buffers: Buffers | None = None) -> None:
        self._buffers = buffers or Buffers()
        self._kept: dict[tuple[bool, int], tuple[F32Array, IntArray, PackedBlocks]] = {}

    def pack(
        self, source: F32Array, boxes: IntArray, along_rows: bool, full: int, unit: int, workers: Workers
    ) -> PackedBlocks:
        """Return what :func:`pack` returns, from the last time if nothing has changed."""
        kept = self._kept.get((along_rows, full))
        if kept is not None and _same_memory(kept[0], source) and np.array_equal(kept[1], boxes):
            return kept[2]
        if kept is not None:
            self._buffers.give(kept[2].values)
        packed = pack(source, boxes, along_rows, full, unit, workers, self._buffers)
        self._kept[along_rows, full] = (source, boxes, packed)
        return packed

    def forget(self, written: F32Array) -> None:
        """Drop what was packed from an array whose values change."""
        for key, (source, _, packed) in tuple(self._kept.items()):
            if np.may_share_memory(source, written):
                self._buffers.give(packed.values)
                del self._kept[key]


def _same_memory(one: F32Array, other: F32Array) -> bool:
    return one.ctypes.data == other.ctypes.data and one.shape == other.shape


@inner_kernel
def panel_lines(lines: int, start: int, full: int, unit: int) -> int:
    """Return the lines of the panel at line `start` of a box of `lines`: `full`, or what is left up to whole units."""
    left = lines - start
    return full if left >= full else (left + unit - 1) // unit * unit


@kernel
def pack_range(
    source: F32Array,
    boxes: IntArray,
    along_rows: bool,
    full: int,
    unit: int,
    packed: F32Array,
    starts: IntArray,
    first: int,
    last: int,
) -> None:
    """Pack the boxes ``first:last``.

    Parameters
    ----------
    source : float32 array [groups, rows, cols]
    boxes : int64 array [n, 6]
        Inside of the array; only the first group of each is packed.
    along_rows : bool
        Rows are the lines and columns the depth; else the other way round.
    full, unit : int
        Lines of a panel; the last panel is a multiple of `unit` high.
    packed : float32 array [:]
        Receives box ``i`` from element ``starts[i]`` on.
    starts : int64 array [n]
    """
    for i in range(first, last):
        box = boxes[i]
        stride = source.shape[2]
        corner = source.ctypes.data + 4 * ((box[0] * source.shape[1] + box[2]) * stride + box[4])
        target = packed.ctypes.data + 4 * starts[i]
        rows, cols = box[3] - box[2], box[5] - box[4]
        if along_rows:
            _pack_rows(corner, stride, rows, cols, full, unit, target)
        else:
            _pack_columns(corner, stride, cols, rows, full, unit, target)


@inner_kernel
def _pack_rows(corner: int, stride: int, lines: int, depth: int, full: int, unit: int, target: int) -> None:
    """Pack with rows as lines: short runs along the depth are read from each row and written across the panel."""
    for line in range(0, lines, full):
        width = panel_lines(lines, line, full, unit)
        held = min(width, lines - line)
        for block in range(0, depth, _DEPTH_BLOCK):
            steps = min(depth - block, _DEPTH_BLOCK)
            panel = span(target + 4 * (line * depth + block * width), steps * width)
            for row in range(held):
                numbers = span(corner + 4 * ((line + row) * stride + block), steps)
                for d in range(steps):
                    panel[d * width + row] = numbers[d]
            for row in range(held, width):
                for d in range(steps):
                    panel[d * width + row] = np.float32(0.0)


@inner_kernel
def _pack_columns(corner: int, stride: int, lines: int, depth: int, full: int, unit: int, target: int) -> None:
    """Pack with columns as lines: every row of the box is cut into the rows of the panels."""
    for d in range(depth):
        for line in range(0, lines, full):
            width = panel_lines(lines, line, full, unit)
            held = min(width, lines - line)
            numbers = span(corner + 4 * (d * stride + line), held)
            panel = span(target + 4 * (line * depth + d * width), width)
            for column in range(held):
                panel[column] = numbers[column]
            for column in range(held, width):
                panel[column] = np.float32(0.0)


def distinct(boxes: IntArray) -> Blocks:
    """Return the different boxes of one group among `boxes` (int64 array [n, 6]), and which one each of the n is."""
    key = np.zeros(len(boxes), dtype=np.int64)
    for column in (0, 2, 3, 4, 5):
        bounds = boxes[:, column]
        _, key = np.unique(key * (bounds.max(initial=0) + 1) + bounds, return_inverse=True)
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return Blocks(boxes[first], which)


def pack(
    source: F32Array,
    boxes: IntArray,
    along_rows: bool,
    full: int,
    unit: int,
    workers: Workers,
    buffers: Buffers | None = None,
) -> PackedBlocks:
    """Return boxes of `source`, packed, in room from `buffers`; parameters as in :func:`pack_range`."""
    rows, cols = boxes[:, 3] - boxes[:, 2], boxes[:, 5] - boxes[:, 4]
    extents = np.stack((rows, cols) if along_rows else (cols, rows), axis=1)
    lengths = (extents[:, 0] + unit - 1) // unit * unit * extents[:, 1]
    lengths = (lengths + LINE_ELEMENTS - 1) // LINE_ELEMENTS * LINE_ELEMENTS
    ends = np.cumsum(lengths)
    values = (buffers or Buffers()).take(int(ends[-1]) if len(ends) else 0)
    starts = ends - lengths
    workers.run(partial(pack_range, source, boxes, along_rows, full, unit, values, starts), len(boxes))
    return PackedBlocks(values, starts, extents)
