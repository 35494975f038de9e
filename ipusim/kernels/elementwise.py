"""Sums of regions, copies, changes of format and element-wise operators over the regions of many vertices.

A region is a run of a box's elements in row-major order. Where the region of a source stands beside that of the result,
their elements correspond in that order, whatever the shapes of the boxes. Elements that lie outside of an array, where
the compiler padded a box, are skipped. A NaN result always has the same bits.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ipusim.ir.regions import IntArray, Regions
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import LINE_BYTES, fetch, half_grid, span
from ipusim.kernels.workers import Done, Workers

COPY, ADD, RELU = 0, 1, 2
"""How the first source of a vertex enters its result; further sources are added."""

ROWS_AHEAD = 2
"""How many rows before its use a row of a source is fetched into the cache."""

_NAN = np.float32(np.nan)
_ZERO = np.float32(0.0)


def combine_regions(
    out: F32Array,
    out_regions: Regions,
    source: F32Array,
    source_regions: Regions,
    workers: Workers,
    how: int = COPY,
    segments: IntArray | None = None,
    half: bool = False,
    done: Done | None = None,
) -> None:
    """Compute for every vertex: the first source taken as `how` says, plus the further ones, one after the other.

    Parameters
    ----------
    out, source : float32 arrays [groups, rows, cols]
    out_regions : Regions [n]
    source_regions : Regions [m]
    workers : Workers
    how : int
        :data:`COPY`, :data:`ADD` (to what `out` holds) or :data:`RELU`.
    segments : int64 array [n + 1], optional
        Vertex ``v`` has the sources ``segments[v]:segments[v + 1]``; one each by default.
    half : bool
        Sums are formed in float32; the last one is rounded to float16.
    done : callable, optional
        Told which fraction of the work is done.

    Raises
    ------
    ValueError
        A source has not as many elements as the result.
    """
    ends = np.arange(len(out_regions) + 1) if segments is None else segments
    expected = np.repeat(out_regions.n_elements, np.diff(ends))
    if not np.array_equal(expected, source_regions.n_elements):
        raise ValueError("the sources of a vertex have not as many elements as its result")
    task = partial(
        _combine_range,
        out,
        out_regions.box,
        out_regions.begin,
        out_regions.end,
        source,
        source_regions.box,
        source_regions.begin,
        ends,
        how,
        half,
    )
    workers.run(task, len(out_regions), done)


def add_broadcast(
    out: F32Array,
    out_regions: Regions,
    left: F32Array,
    left_box: IntArray,
    right: F32Array,
    right_box: IntArray,
    workers: Workers,
    half: bool = False,
    done: Done | None = None,
) -> None:
    """Compute ``out = left + right`` on the region of every vertex, in float32 and then rounded once if `half`.

    Parameters
    ----------
    out, left, right : float32 arrays [groups, rows, cols]
    out_regions : Regions [n]
    left_box, right_box : int64 arrays [n, 6]
        The operands of the whole box of each result region: every extent is that of the result, or 1, which is
        repeated.
    workers, half, done
        As in :func:`combine_regions`.

    Raises
    ------
    ValueError
        An extent of an operand is neither 1 nor that of the result.
    """
    extents = out_regions.box[:, 1::2] - out_regions.box[:, ::2]
    for box in (left_box, right_box):
        have = box[:, 1::2] - box[:, ::2]
        if np.any((have != extents) & (have != 1)):
            raise ValueError("the operands of an element-wise operator do not broadcast to its result")
    task = partial(
        _add_range,
        out,
        out_regions.box,
        out_regions.begin,
        out_regions.end,
        left,
        left_box,
        right,
        right_box,
        half,
    )
    workers.run(task, len(out_regions), done)


@inner_kernel
def _locate(box: IntArray, position: int) -> tuple[int, int, int, int]:
    """Return group, row, column and the elements left in the row, of an element of a box in row-major order."""
    cols = box[5] - box[4]
    line, col = position // cols, position % cols
    rows = box[3] - box[2]
    return box[0] + line // rows, box[2] + line % rows, box[4] + col, cols - col


@inner_kernel
def _advance(box: IntArray, place: tuple[int, int, int, int], run: int) -> tuple[int, int, int, int]:
    """Return the place `run` elements further on, at most at the start of the next row."""
    group, row, col, left = place
    if run < left:
        return group, row, col + run, left - run
    if row + 1 < box[3]:
        return group, row + 1, box[4], box[5] - box[4]
    return group + 1, box[2], box[4], box[5] - box[4]


@inner_kernel
def _address(array: F32Array, group: int, row: int, col: int) -> int:
    """Return the address of an element."""
    address: int = array.ctypes.data + 4 * ((group * array.shape[1] + row) * array.shape[2] + col)
    return address


@inner_kernel
def _finish(numbers: F32Array, half: bool) -> None:
    """Give every NaN the same bits and round to float16 if `half`."""
    for i in range(len(numbers)):
        numbers[i] = numbers[i] if numbers[i] == numbers[i] else _NAN
    if half:
        for i in range(len(numbers)):
            numbers[i] = half_grid(numbers[i])


@kernel
def _combine_range(
    out: F32Array,
    out_box: IntArray,
    out_begin: IntArray,
    out_end: IntArray,
    source: F32Array,
    source_box: IntArray,
    source_begin: IntArray,
    segments: IntArray,
    how: int,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Combine the sources of the vertices ``first:last`` (see :func:`combine_regions`)."""
    for vertex in range(first, last):
        for i in range(segments[vertex], segments[vertex + 1]):
            _combine(
                out,
                out_box[vertex],
                out_begin[vertex],
                out_end[vertex],
                source,
                source_box[i],
                source_begin[i],
                how if i == segments[vertex] else ADD,
                i == segments[vertex + 1] - 1,
                half,
            )


@inner_kernel
def _combine(
    out: F32Array,
    out_box: IntArray,
    begin: int,
    end: int,
    source: F32Array,
    source_box: IntArray,
    source_begin: int,
    how: int,
    finish: bool,
    half: bool,
) -> None:
    """Combine one source with a result, in runs that are contiguous in both, and `finish` the result."""
    position = begin
    place, source_place = _locate(out_box, begin), _locate(source_box, source_begin)
    while position < end:
        g, r, c, left = place
        source_g, source_r, source_c, source_left = source_place
        run = min(left, source_left, end - position)
        position += run
        place, source_place = _advance(out_box, place, run), _advance(source_box, source_place, run)
        held = min(run, out.shape[2] - c, source.shape[2] - source_c)
        inside = g < out.shape[0] and r < out.shape[1] and source_g < source.shape[0] and source_r < source.shape[1]
        if not inside or held <= 0:
            continue
        numbers = span(_address(out, g, r, c), held)
        start = _address(source, source_g, source_r, source_c)
        operand = span(start, held)
        ahead = start + 4 * ROWS_AHEAD * source.shape[2]
        for line in range(ahead, ahead + 4 * held, LINE_BYTES):
            fetch(line)
        if how == ADD:
            for i in range(held):
                numbers[i] += operand[i]
        elif how == RELU:
            for i in range(held):
                numbers[i] = _ZERO if operand[i] <= _ZERO else operand[i]
        else:
            for i in range(held):
                numbers[i] = operand[i]
        if finish:
            _finish(numbers, half)


@kernel
def _add_range(
    out: F32Array,
    out_box: IntArray,
    out_begin: IntArray,
    out_end: IntArray,
    left: F32Array,
    left_box: IntArray,
    right: F32Array,
    right_box: IntArray,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Add the operands of the vertices ``first:last`` (see :func:`add_broadcast`)."""
    for vertex in range(first, last):
        box, position = out_box[vertex], out_begin[vertex]
        while position < out_end[vertex]:
            g, r, c, run = _locate(box, position)
            run = min(run, out_end[vertex] - position)
            position += run
            left_g, left_r, left_c, left_step = _operand(left_box[vertex], box, g, r, c)
            right_g, right_r, right_c, right_step = _operand(right_box[vertex], box, g, r, c)
            if g >= out.shape[0] or r >= out.shape[1] or c >= out.shape[2]:
                continue
            held = min(run, out.shape[2] - c)
            numbers = span(_address(out, g, r, c), held)
            lefts = span(_address(left, left_g, left_r, left_c), held)
            rights = span(_address(right, right_g, right_r, right_c), held)
            if left_step == 1 and right_step == 1:
                for i in range(len(numbers)):
                    numbers[i] = lefts[i] + rights[i]
            else:
                for i in range(len(numbers)):
                    numbers[i] = lefts[i * left_step] + rights[i * right_step]
            _finish(numbers, half)


@inner_kernel
def _operand(operand_box: IntArray, box: IntArray, g: int, r: int, c: int) -> tuple[int, int, int, int]:
    """Return group, row and first column of an operand for an element of the result, and its step along columns."""
    group = operand_box[0] + (g - box[0] if operand_box[1] - operand_box[0] > 1 else 0)
    row = operand_box[2] + (r - box[2] if operand_box[3] - operand_box[2] > 1 else 0)
    step = 1 if operand_box[5] - operand_box[4] > 1 else 0
    return group, row, operand_box[4] + step * (c - box[4]), step
