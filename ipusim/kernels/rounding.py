"""Rounding of regions of arrays to narrow formats, to nearest or stochastic.

Bit for bit what :mod:`ipusim.formats.rounding` computes; the random bits of an element follow from a key, its number in
the array and a step, so that they depend neither on threads nor on how the work is cut up.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ipusim.ir.regions import IntArray, Regions
from ipusim.kernels.elementwise import advance, locate
from ipusim.kernels.jit import inner_kernel, kernel
from ipusim.kernels.packing import F32Array
from ipusim.kernels.scalars import bits_single, single_bits, span
from ipusim.kernels.workers import Workers

_NAN = np.float32(np.nan)
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_ONE = np.uint32(1)
_S15, _S16, _S32 = np.uint32(15), np.uint32(16), np.uint32(32)
_A, _B, _WEYL = np.uint32(0x7FEB352D), np.uint32(0x846CA68B), np.uint32(0x9E3779B9)


class Grid(NamedTuple):
    """A narrow format as the kernel takes it.

    Attributes
    ----------
    drop : int
        Bits of a float32 significand that the format lacks.
    smallest_normal, largest : float
        The former 0 where the format has the exponents of float32.
    coarse : float
        A float32 whose last place is the smallest subnormal.
    limit : float
        What a magnitude past the largest becomes.
    signed_zero : bool
    scale : float
        Power of two that the numbers of the format are multiples of.
    """

    drop: Any
    smallest_normal: Any
    largest: Any
    coarse: Any
    limit: Any
    signed_zero: bool
    scale: Any


def round_regions(out: F32Array, regions: Regions, grid: Grid, stochastic: bool, key: int, workers: Workers) -> None:
    """Round the elements of regions in place.

    Parameters
    ----------
    out : float32 array [groups, rows, cols]
    regions : Regions
        No element lies in two of them.
    grid : Grid
    stochastic : bool
        Else to nearest, ties to even.
    key : int
        64 bits that choose the random bits.
    workers : Workers
    """
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32 & 0xFFFFFFFF)
    task = partial(_round_range, out, regions.box, regions.begin, regions.end, grid, stochastic, low, high)
    workers.run(task, len(regions))


@inner_kernel
def mixed(word: Any) -> Any:
    """Return 32 bits of which each depends on every bit of `word`."""
    word = np.uint32((word ^ (word >> _S16)) * _A)
    word = np.uint32((word ^ (word >> _S15)) * _B)
    return np.uint32(word ^ (word >> _S16))


@inner_kernel
def random_word(low: Any, high: Any, index: int, step: int) -> Any:
    """Return the random bits of an element (see :func:`ipusim.formats.random_words`)."""
    return mixed(np.uint32(mixed(np.uint32(np.uint32(index) ^ low)) + np.uint32(step) * _WEYL + high))


@inner_kernel
def on_grid(number: Any, grid: Grid, stochastic: bool, word: Any) -> Any:
    """Return a float32 rounded to a grid, with random bits if `stochastic`."""
    if number != number:
        return _NAN
    value = number / grid.scale
    bits = single_bits(value)
    magnitude = bits_single(bits & _MAGNITUDE)
    small = magnitude < grid.smallest_normal
    if small and not stochastic:
        result = (magnitude + grid.coarse) - grid.coarse
    else:
        anchor = grid.smallest_normal if small else np.float32(0.0)
        wide = single_bits(magnitude + anchor)
        unit = _ONE << grid.drop
        added = word >> (_S32 - grid.drop) if stochastic else (unit >> _ONE) - _ONE + ((wide >> grid.drop) & _ONE)
        total = wide + added
        result = bits_single(np.uint32(total - (total & (unit - _ONE)))) - anchor
    result = grid.limit if result > grid.largest else result
    result = -result if bits > _MAGNITUDE else result
    result *= grid.scale
    if result != result:
        return _NAN
    return result if grid.signed_zero else result + np.float32(0.0)


@kernel
def _round_range(
    out: F32Array,
    boxes: IntArray,
    begins: IntArray,
    ends: IntArray,
    grid: Grid,
    stochastic: bool,
    low: Any,
    high: Any,
    first: int,
    last: int,
) -> None:
    """Round the regions ``first:last``; elements outside of the array are skipped."""
    for region in range(first, last):
        position, end, box = begins[region], ends[region], boxes[region]
        place = locate(box, position)
        while position < end:
            g, r, c, left = place
            run = min(left, end - position)
            position += run
            place = advance(box, place, run)
            held = min(run, out.shape[2] - c)
            if g >= out.shape[0] or r >= out.shape[1] or held <= 0:
                continue
            start = (g * out.shape[1] + r) * out.shape[2] + c
            numbers = span(out.ctypes.data + 4 * start, held)
            for i in range(held):
                word = random_word(low, high, start + i, 0) if stochastic else np.uint32(0)
                numbers[i] = on_grid(numbers[i], grid, stochastic, word)
