"""Reductions along the middle axis of stacks of matrices: sums, sums of squares, maxima, minima.

Sums are in float32, in an order that depends on nothing but the box: along contiguous elements eight sums side by side
that are added in pairs at the end, across rows one after the other. A NaN result always has the same bits.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ipusim.ir.regions import IntArray
from ipusim.kernels.elementwise import finish
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import span
from ipusim.kernels.workers import Done, Workers

REDUCTIONS = ("add", "square_add", "max", "min")
"""Names of the reductions; a kernel knows them by their number."""

_ADD, _SQUARE_ADD, _MAX, _MIN = range(4)
_ZERO = np.float32(0.0)


def reduce_boxes(
    operator: str,
    out: F32Array,
    out_box: IntArray,
    source: F32Array,
    source_box: IntArray,
    workers: Workers,
    scale: float = 1.0,
    half: bool = False,
    done: Done | None = None,
) -> None:
    """Reduce the rows of every box of `source` to the one row of the box of `out` beside it.

    Parameters
    ----------
    operator : str
        One of :data:`REDUCTIONS`.
    out, source : float32 arrays [groups, rows, cols]
    out_box, source_box : int64 arrays [n, 6]
        Of the same groups and columns each; those of `out` have one row.
    workers : Workers
    scale : float
        Multiplied with the results: one over the number of elements for a mean.
    half : bool
        Results are rounded to float16.
    done : callable, optional
        Told which fraction of the work is done.
    """
    number = REDUCTIONS.index(operator)
    task = partial(_reduce_range, number, np.float32(scale), out, out_box, source, source_box, half)
    workers.run(task, len(out_box), done)


@kernel
def _reduce_range(
    how: int,
    scale: np.float32,
    out: F32Array,
    out_box: IntArray,
    source: F32Array,
    source_box: IntArray,
    half: bool,
    first: int,
    last: int,
) -> None:
    """Reduce the boxes of the vertices ``first:last`` (see :func:`reduce_boxes`)."""
    rows, cols = source.shape[1], source.shape[2]
    for vertex in range(first, last):
        g0, g1, r0, r1, c0, c1 = source_box[vertex]
        row, col = out_box[vertex, 2], out_box[vertex, 4]
        for g in range(g0, g1):
            at = out.ctypes.data + 4 * (((out_box[vertex, 0] + g - g0) * out.shape[1] + row) * out.shape[2] + col)
            numbers = span(at, c1 - c0)
            start = source.ctypes.data + 4 * ((g * rows + r0) * cols + c0)
            if cols == 1:
                numbers[0] = _along(how, span(start, r1 - r0))
            else:
                _across(how, numbers, start, r1 - r0, cols)
            for i in range(len(numbers)):
                numbers[i] *= scale
            finish(numbers, half)


@inner_kernel
def _along(how: int, x: F32Array) -> np.float32:
    """Return the reduction of contiguous elements."""
    if how == _MAX:
        top: np.float32 = x[0]
        for i in range(len(x)):
            top = x[i] if x[i] > top or x[i] != x[i] else top
        return top
    if how == _MIN:
        low: np.float32 = x[0]
        for i in range(len(x)):
            low = x[i] if x[i] < low or x[i] != x[i] else low
        return low
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _ZERO
    whole = len(x) // 8 * 8
    if how == _ADD:
        for i in range(0, whole, 8):
            s0 += x[i]
            s1 += x[i + 1]
            s2 += x[i + 2]
            s3 += x[i + 3]
            s4 += x[i + 4]
            s5 += x[i + 5]
            s6 += x[i + 6]
            s7 += x[i + 7]
        for i in range(whole, len(x)):
            s0 += x[i]
    else:
        for i in range(0, whole, 8):
            s0 += x[i] * x[i]
            s1 += x[i + 1] * x[i + 1]
            s2 += x[i + 2] * x[i + 2]
            s3 += x[i + 3] * x[i + 3]
            s4 += x[i + 4] * x[i + 4]
            s5 += x[i + 5] * x[i + 5]
            s6 += x[i + 6] * x[i + 6]
            s7 += x[i + 7] * x[i + 7]
        for i in range(whole, len(x)):
            s0 += x[i] * x[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@inner_kernel
def _across(how: int, out: F32Array, start: int, rows: int, cols: int) -> None:
    """Reduce rows that lie `cols` elements apart, column by column."""
    for r in range(rows):
        x = span(start + 4 * r * cols, len(out))
        if how == _ADD:
            for i in range(len(out)):
                out[i] = out[i] + x[i] if r else x[i]
        elif how == _SQUARE_ADD:
            for i in range(len(out)):
                out[i] = out[i] + x[i] * x[i] if r else x[i] * x[i]
        elif how == _MAX:
            for i in range(len(out)):
                out[i] = x[i] if r == 0 or x[i] > out[i] or x[i] != x[i] else out[i]
        else:
            for i in range(len(out)):
                out[i] = x[i] if r == 0 or x[i] < out[i] or x[i] != x[i] else out[i]
