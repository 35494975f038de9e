"""Rounding of float32 values to the grid of a narrower format: to nearest with ties to even, or stochastic."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipusim.formats.format import Format
from ipusim.formats.registry import number_format
from ipusim.formats.scale import AUTO, automatic_scale

_FLOAT32_FRACTION_BITS = 23


def round_to_format(values: ArrayLike, name: str) -> NDArray[np.float32]:
    """Return `values` rounded to nearest, ties to even, in the format called `name`.

    Parameters
    ----------
    values : array
        Taken as float32: wider values are rounded to float32 first.
    name : str
        See :func:`ipusim.formats.number_format`.

    Returns
    -------
    float32 array of the same shape
        A new array whose every element is a number of the format: subnormals are kept, overflow gives what the format
        says, NaN stays NaN.

    Raises
    ------
    KeyError
        There is no such format.
    """
    target = number_format(name)
    with np.errstate(over="ignore"):
        exact = np.array(values, dtype=np.float32, order="C")
        if target.name == "float32":
            return exact
        if target.name == "float16":
            return exact.astype(np.float16).astype(np.float32)
        if target.name == "int32":
            whole = np.rint(exact)
            return np.where(np.abs(whole) <= target.max, whole, np.float32(np.nan)).astype(np.float32)
    return _rounded(exact, target)


def _rounded(exact: NDArray[np.float32], target: Format) -> NDArray[np.float32]:
    """Round to at least two bits fewer than float32 has.

    A normal result keeps `significand_bits` of the significand: half of the last place is added to the bit pattern,
    one unit less where the last kept bit is even, and the rest is cut off; a carry runs into the exponent as it
    should. A subnormal result is a multiple of the smallest subnormal: adding and subtracting a float32 whose last
    place is that number lets the hardware round.
    """
    drop = np.uint32(_FLOAT32_FRACTION_BITS + 1 - target.significand_bits)
    one = np.uint32(1)
    bits = exact.view(np.uint32)
    half = (one << (drop - one)) - one + ((bits >> drop) & one)
    result = ((bits + half) & ~((one << drop) - one)).view(np.float32)
    magnitude = np.abs(exact)
    small = magnitude < target.smallest_normal
    if small.any() and target.min_exponent > -126:
        anchor = np.float32(target.smallest_subnormal * 2.0**_FLOAT32_FRACTION_BITS)
        result[small] = np.copysign((magnitude[small] + anchor) - anchor, exact[small])
    with np.errstate(invalid="ignore"):
        past = np.abs(result) > target.max
    limit = np.float32(np.nan if target.overflow == "nan" else np.inf)
    result[past] = np.copysign(limit, result[past])
    result[np.isnan(exact)] = np.float32(np.nan)
    if not target.signed_zero:
        result += np.float32(0.0)
    return result


def round_to_scale(values: ArrayLike, name: str, scale: float | str) -> NDArray[np.float32]:
    """Return `values` rounded to nearest in the format called `name`, whose numbers count in multiples of `scale`.

    `scale` is a power of two, or ``auto``.
    """
    exact = np.array(values, dtype=np.float32, order="C")
    unit = np.float32(scale_of(exact, name) if scale == AUTO else scale)
    with np.errstate(over="ignore"):
        return round_to_format(exact / unit, name) * unit


def scale_of(values: NDArray[np.float32], name: str) -> float:
    """Return the automatic scale of values in the format called `name`."""
    return automatic_scale(float(np.abs(values).max(initial=0.0)), name)


def round_stochastic(
    values: ArrayLike, name: str, words: NDArray[np.uint32], scale: float = 1.0
) -> NDArray[np.float32]:
    """Return `values` rounded down or up in magnitude to the format called `name`, at random with the right mean.

    A value between two neighbours of the format becomes the farther from zero with a probability that is its distance
    from the other one over their distance, in steps of ``2**-(24 - significand_bits)``; a number of the format stays.
    Beyond the largest number, the neighbour is what the format makes of an overflow.

    Parameters
    ----------
    values : array
        Taken as float32.
    name : str
        See :func:`ipusim.formats.number_format`.
    words : uint32 array of the same shape
        Random bits; see :func:`random_words`.
    scale : float
        Power of two that the numbers of the format are multiples of.
    """
    target = number_format(name)
    exact = np.array(values, dtype=np.float32, order="C")
    if target.name == "float32":
        return exact
    drop = np.uint32(_FLOAT32_FRACTION_BITS + 1 - target.significand_bits)
    with np.errstate(over="ignore", invalid="ignore"):
        magnitude = np.abs(exact / np.float32(scale))
        # adding the smallest normal gives subnormals the spacing of the normal numbers next to them
        anchor = np.where(magnitude < _anchor(target), _anchor(target), np.float32(0.0))
        bits = (magnitude + anchor).view(np.uint32)
        kept = (bits + (words >> (np.uint32(32) - drop))) & ~((np.uint32(1) << drop) - np.uint32(1))
        result = kept.view(np.float32) - anchor
        limit = np.float32(np.nan if target.overflow == "nan" else np.inf)
        result = np.where(result > np.float32(target.max), limit, result)
        result = np.where(np.isnan(exact), np.float32(np.nan), np.copysign(result, exact)) * np.float32(scale)
    return result if target.signed_zero else result + np.float32(0.0)


def _anchor(target: Format) -> np.float32:
    return np.float32(target.smallest_normal if target.min_exponent > -126 else 0.0)


def random_words(key: int, index: NDArray[np.uint32], step: int = 0) -> NDArray[np.uint32]:
    """Return the random bits of elements of an array: uint32 array like `index`.

    The same for the same key, element and step, whatever else is rounded and in which order: a counter-based generator
    made of two rounds of a 32-bit mixing function.

    Parameters
    ----------
    key : int
        64 bits: who rounds.
    index : uint32 array
        Numbers of the elements, modulo 2**32.
    step : int
        How often each element was rounded before.
    """
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32 & 0xFFFFFFFF)
    weyl = np.uint32((step * 0x9E3779B9 + int(high)) & 0xFFFFFFFF)
    return _mixed(_mixed(index.astype(np.uint32) ^ low) + weyl)


def _mixed(word: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return 32 bits of which each depends on every bit of `word` (a bijection)."""
    word = (word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ (word >> np.uint32(16))
