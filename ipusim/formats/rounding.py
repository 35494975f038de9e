"""Rounding of float32 values to the grid of a narrower format: to nearest, ties to even."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipusim.formats.format import Format
from ipusim.formats.registry import number_format

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
