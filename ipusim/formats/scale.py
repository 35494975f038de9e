"""Scales of tensors of 8 bits: a value is a stored number times a power of two that the whole tensor shares.

The device keeps the exponent in 6 bits beside the format, and applies it as it loads and stores: exactly.
"""

from __future__ import annotations

from math import frexp, isfinite, ldexp

from ipusim.formats.registry import number_format

AUTO = "auto"
"""The scale that follows from the largest value."""

LEAST_EXPONENT, LARGEST_EXPONENT = -32, 31


def is_scale(number: float) -> bool:
    """Return whether a number is a power of two that the device can store as a scale."""
    if not (isfinite(number) and number > 0):
        return False
    fraction, exponent = frexp(number)
    return fraction == 0.5 and LEAST_EXPONENT <= exponent - 1 <= LARGEST_EXPONENT


def automatic_scale(largest: float, name: str) -> float:
    """Return the smallest scale with which values of magnitude up to `largest` stay in range.

    Parameters
    ----------
    largest : float
        At least 0. A scale of 1 is taken where it is 0 or not finite.
    name : str
        Number format.
    """
    if not isfinite(largest) or largest <= 0:
        return 1.0
    limit = number_format(name).max
    exponent = frexp(largest)[1] - frexp(limit)[1]
    if ldexp(largest, -exponent) > limit:
        exponent += 1
    return ldexp(1.0, min(max(exponent, LEAST_EXPONENT), LARGEST_EXPONENT))
