"""Random numbers that are the same on every machine and for every version of numpy.

Only the raw 64-bit stream of PCG64 is used, which numpy guarantees, and arithmetic that has one result: whole numbers,
and floating-point operations that IEEE 754 rounds in one way. The distributions of ``Generator`` offer neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Slices = tuple[NDArray[np.float32], NDArray[np.float32]]

_SLICE_BITS = 12
_INSIDE_BITS = 32 - _SLICE_BITS
N_SLICES = 1 << _SLICE_BITS
"""Slices of equal probability that a distribution is cut into."""
_KNOT_GRID = 2.0**20
_LONGEST = 16.0
_BYTES_AT_ONCE = 1 << 22
LARGEST_CHOICE = 1 << 32
"""Most positions to choose from."""


def random_words(seed: int, count: int) -> NDArray[np.uint32]:
    """Return `count` random words of 32 bits: uint32 array [count]."""
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw((count + 1) // 2)
    return np.asarray(raw, dtype="<u8").view("<u4")[:count]


def choose(total: int, count: int, seed: int, accelerate: Callable[[Any], Any]) -> NDArray[np.int64]:
    """Return `count` of the positions below `total` in ascending order; all sets are equally likely.

    If more than half are chosen, the others are drawn. Source: Floyd's algorithm (Bentley, Floyd: A sample of
    brilliance, 1987), with positions from the high half of a product, each as likely as the next one to one in 2^32.

    Parameters
    ----------
    total : int
        At most :data:`LARGEST_CHOICE`.
    accelerate : callable
        Applied to the loop over single positions.
    """
    drawn = min(count, total - count)
    ends = np.arange(total - drawn + 1, total + 1, dtype=np.uint64)
    places = (random_words(seed, drawn) * ends) >> np.uint64(32)
    marked = np.zeros(-(-total // 8), np.uint8)
    accelerate(mark_sample)(places.astype(np.int64), total - drawn, marked)
    return _positions(marked, total, 1 if drawn == count else 0)


def _positions(bits: NDArray[np.uint8], total: int, wanted: int) -> NDArray[np.int64]:
    """Return the positions of the bits below `total` that are `wanted`, without a byte for each bit at once."""
    found = []
    for start in range(0, len(bits), _BYTES_AT_ONCE):
        part = bits[start : start + _BYTES_AT_ONCE]
        unpacked = np.unpackbits(part, count=min(8 * len(part), total - 8 * start), bitorder="little")
        found.append(np.flatnonzero(unpacked == wanted) + 8 * start)
    return np.concatenate(found)


def mark_sample(places: Any, first: int, marked: Any) -> None:
    """Mark a sample: place ``places[i]`` of the first ``first + i + 1``, or the last of them if that is taken.

    Parameters
    ----------
    places : int64 array [count]
    marked : uint8 array [ceil((first + count) / 8)]
        A bit for each position, the lowest of a byte first. Changed.
    """
    for index in range(len(places)):
        place = places[index]
        if (marked[place >> 3] >> (place & 7)) & 1:
            place = first + index
        marked[place >> 3] |= 1 << (place & 7)


def exponential(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return values of an exponential distribution of mean 1, cut into 4,096 slices of equal probability."""
    return inverted(words, _slices())


def inverted(words: NDArray[np.uint32], slices: Slices) -> NDArray[np.float32]:
    """Return values of a distribution that is cut into 4,096 slices of equal probability.

    A word picks a slice with its high bits and a place inside it with its low bits.

    Parameters
    ----------
    words : uint32 array [n]
    slices : tuple of float32 array [4097] and float32 array [4096]
        Bounds and widths of the slices.
    """
    knots, widths = slices
    which = (words >> np.uint32(_INSIDE_BITS)).astype(np.intp)
    values = (words & np.uint32((1 << _INSIDE_BITS) - 1)).astype(np.float32)
    values += np.float32(0.5)
    values *= np.float32(2.0**-_INSIDE_BITS)
    values *= widths[which]
    values += knots[which]
    return values


def sliced(bounds: list[float]) -> Slices:
    """Return the bounds of slices, rounded to 2**-20, and their widths.

    The rounding swallows what the logarithms of two machines may differ by.
    """
    knots = (np.rint(np.array(bounds) * _KNOT_GRID) / _KNOT_GRID).astype(np.float32)
    return knots, np.diff(knots)


@cache
def _slices() -> Slices:
    return sliced([-math.log1p(-i / N_SLICES) for i in range(N_SLICES)] + [_LONGEST])
