"""Sums of regions, copies and changes of format over the regions of many vertices.

A region is a run of a box's elements in row-major order. Where the region of a source stands beside that of the result,
their elements correspond in that order, whatever the shapes of the boxes. Elements that lie outside of an array, where
the compiler padded a box, are skipped. A NaN result always has the same bits.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ipusim.ir.regions import IntArray, Regions, as_one_row
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import LINE_BYTES, fetch, half_grid, span
from ipusim.kernels.workers import Done, Workers

COPY, ADD = 0, 1
"""How the first source of a vertex enters its result; further sources are added."""

ROWS_AHEAD = 2
"""How many rows before its use a row of a source is fetched into the cache."""

SHORT_ROW = 64
"""Elements of a row below which finding it takes longer than what is done with it."""

_NAN = np.float32(np.nan)


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
        :data:`COPY` or :data:`ADD` (to what `out` holds).
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
    out, out_regions = in_long_rows(out, out_regions)
    source, source_regions = in_long_rows(source, source_regions)
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


def in_long_rows(array: F32Array, regions: Regions) -> tuple[F32Array, Regions]:
    """Return an array of short rows and regions of it as a single row, where every region is a part of that row."""
    if array.shape[2] >= SHORT_ROW:
        return array, regions
    row = as_one_row(regions, array.shape)
    return (array, regions) if row is None else (array.reshape(1, 1, -1), row)


@inner_kernel
def locate(box: IntArray, position: int) -> tuple[int, int, int, int]:
    """Return group, row, column and the elements left in the row, of an element of a box in row-major order."""
    cols = box[5] - box[4]
    line, col = position // cols, position % cols
    rows = box[3] - box[2]
    return box[0] + line // rows, box[2] + line % rows, box[4] + col, cols - col


@inner_kernel
def advance(box: IntArray, place: tuple[int, int, int, int], run: int) -> tuple[int, int, int, int]:
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
def finish(numbers: F32Array, half: bool) -> None:
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
    last: bool,
    half: bool,
) -> None:
    """Combine one source with a result, in runs that are contiguous in both, the `last` of which finishes it."""
    position = begin
    place, source_place = locate(out_box, begin), locate(source_box, source_begin)
    while position < end:
        g, r, c, left = place
        source_g, source_r, source_c, source_left = source_place
        run = min(left, source_left, end - position)
        position += run
        place, source_place = advance(out_box, place, run), advance(source_box, source_place, run)
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
        else:
            for i in range(held):
                numbers[i] = operand[i]
        if last:
            finish(numbers, half)
