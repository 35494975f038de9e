"""Further functions for kernels, in float64, with the same bits on every machine, as in ``functions.py``."""

from __future__ import annotations

import math

from ipusim.kernels.functions import exponential, logarithm
from ipusim.kernels.jit import inner_kernel
from ipusim.kernels.scalars import double_bits

_CLIP, _LEAKY_RELU, _ELU, _HARD_SIGMOID, _HARD_SWISH, _SOFTPLUS, _SIN, _COS, _FLOOR, _CEIL, _ROUND, _SIGN = range(12)

_SMALL = 1e-5
_ALL_WHOLE = 16777216.0
_FAR_BELOW = -15.0
_WORD = (1 << 32) - 1
_QUARTER = (1 << 30) - 1
_HALF_PI = 1.5707963267948966
_MANTISSA = (1 << 52) - 1
_HIDDEN = 1 << 23
_TWO_OVER_PI = (
    *(0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0),
    *(0xDB629599, 0x3C439041, 0xFE5163AB, 0xDEBBC561),
)
"""Bits of 2 / pi in words of 32, after a word of zeros."""


@inner_kernel
def curve(how: int, a: float, b: float, x: float) -> float:
    """Return function number `how` of `x` with the constants `a` and `b`."""
    if x != x:
        return x
    if how == _CLIP:
        return a if x < a else b if x > b else x
    if how == _LEAKY_RELU:
        return a * x if x < 0.0 else x
    if how == _ELU:
        return a * _power_less_one(x) if x < 0.0 else x
    if how == _HARD_SIGMOID:
        return _unit(a * x + b)
    if how == _HARD_SWISH:
        return x * _unit(x / 6.0 + 0.5) if x > -3.0 else 0.0
    if how == _SOFTPLUS:
        return _softplus(x)
    if how == _SIN:
        return _circle(x, 0)
    if how == _COS:
        return _circle(x, 1)
    if how == _SIGN:
        return 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0
    if x >= _ALL_WHOLE or x <= -_ALL_WHOLE:
        return x
    if how == _FLOOR:
        return float(math.floor(x))
    if how == _CEIL:
        return float(math.ceil(x))
    return _nearest(x)


@inner_kernel
def _unit(x: float) -> float:
    return 0.0 if x < 0.0 else 1.0 if x > 1.0 else x


@inner_kernel
def _nearest(x: float) -> float:
    """Return the nearest whole number, the even one of two."""
    low = float(math.floor(x))
    rest = x - low
    if rest < 0.5 or (rest == 0.5 and low - 2.0 * float(math.floor(low / 2.0)) == 0.0):
        return low
    return low + 1.0


@inner_kernel
def _power_less_one(x: float) -> float:
    """Return ``e ** x - 1`` for ``x < 0``."""
    if x > -_SMALL:
        return x * (1.0 + x * (0.5 + x / 6.0))
    return exponential(x) - 1.0


@inner_kernel
def _softplus(x: float) -> float:
    """Return ``log(1 + e ** x)``."""
    power = exponential(-x if x > 0.0 else x)
    rest = power * (1.0 - 0.5 * power) if x < _FAR_BELOW else logarithm(1.0 + power)
    return x + rest if x > 0.0 else rest


@inner_kernel
def _circle(x: float, quarters: int) -> float:
    """Return the sine of a float32 plus some quarters of a turn; exact to some 30 bits however large it is."""
    size = -x if x < 0.0 else x
    if size == math.inf:
        return math.nan
    turned = quarters
    rest = size
    if size >= 0.5:
        part, whole = _quarters(size)
        turned += whole
        if part > 0.5:
            part -= 1.0
            turned += 1
        rest = part * _HALF_PI
    if x < 0.0:
        rest = -rest
        turned = 2 * quarters - turned
    square = rest * rest
    value = _cosine(square) if turned & 1 else rest * _sine_over(square)
    return -value if turned & 2 else value


@inner_kernel
def _quarters(x: float) -> tuple[float, int]:
    """Return fraction and whole part, modulo 4, of ``x * 2 / pi`` for a float32 from 1/2 on.

    The product of its 24 bits with those 96 bits of 2 / pi that matter: bits before them give whole turns.
    """
    bits = double_bits(x)
    mantissa = ((bits & _MANTISSA) >> 29) | _HIDDEN
    first = ((bits >> 52) - 1023 - 23) + 30
    word, shift = first >> 5, first & 31
    w0 = _bits_at(word, shift)
    w1 = _bits_at(word + 1, shift)
    w2 = _bits_at(word + 2, shift)
    low = mantissa * w2
    middle = mantissa * w1 + (low >> 32)
    high = (mantissa * w0 + (middle >> 32)) & _WORD
    fraction = float(high & _QUARTER) * 2.0**-30 + float(middle & _WORD) * 2.0**-62
    return fraction, high >> 30


@inner_kernel
def _bits_at(word: int, shift: int) -> int:
    """Return 32 bits of 2 / pi that begin `shift` bits into a word."""
    both = (_TWO_OVER_PI[word] << 32) | _TWO_OVER_PI[word + 1]
    return (both >> (32 - shift)) & _WORD


@inner_kernel
def _sine_over(square: float) -> float:
    """Return ``sin(r) / r`` for ``r ** 2`` up to ``(pi / 4) ** 2``."""
    p = -1.0 / 1307674368000.0
    p = p * square + 1.0 / 6227020800.0
    p = p * square - 1.0 / 39916800.0
    p = p * square + 1.0 / 362880.0
    p = p * square - 1.0 / 5040.0
    p = p * square + 1.0 / 120.0
    p = p * square - 1.0 / 6.0
    return p * square + 1.0


@inner_kernel
def _cosine(square: float) -> float:
    """Return ``cos(r)`` for ``r ** 2`` up to ``(pi / 4) ** 2``."""
    p = 1.0 / 20922789888000.0
    p = p * square - 1.0 / 87178291200.0
    p = p * square + 1.0 / 479001600.0
    p = p * square - 1.0 / 3628800.0
    p = p * square + 1.0 / 40320.0
    p = p * square - 1.0 / 720.0
    p = p * square + 1.0 / 24.0
    p = p * square - 0.5
    return p * square + 1.0


@inner_kernel
def random_word(seed: int, index: int) -> int:
    """Return 32 bits that depend on a seed below 2**32 and the place of an element.

    Additions, products and shifts of 32 bits: the same on every machine, in kernels and in numpy.
    """
    word = (index * 0x9E3779B1 + (index >> 32) * 0x85EBCA77 + seed * 0xC2B2AE3D) & _WORD
    word ^= word >> 16
    word = word * 0x7FEB352D & _WORD
    word ^= word >> 15
    word = word * 0x846CA68B & _WORD
    word ^= word >> 16
    return word
