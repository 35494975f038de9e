"""Transcendental functions for kernels, in float64, with the same bits on every machine.

The C library's functions differ between systems in their last bits. These use nothing but additions, products,
quotients and square roots of float64, which IEEE 754 rounds in one way, and moves of bits; the compiler may neither
reorder nor fuse them (no fastmath, no contraction). Their relative error is below 1e-10, so that one rounding to
float32 gives a result within 0.51 units in the last place.
"""

from __future__ import annotations

import math

from ipusim.kernels.jit import inner_kernel
from ipusim.kernels.scalars import bits_double, double_bits

_LOG2_E = 1.4426950408889634
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
_SQRT_HALF = 0.7071067811865476
_MANTISSA = (1 << 52) - 1
_ONE_BITS = 1023 << 52
_TWO_OVER_SQRT_PI = 1.1283791670955126
_ONE_OVER_SQRT_PI = 0.5641895835477563
_GELU_SCALE = 0.7978845608028654
_SERIES_BELOW = 2.5
_SERIES_TERMS = 60
_FRACTION_TERMS = 40
_NEGLIGIBLE = 1e-17
_TINY_TANH = 1e-5
_LARGEST_WHOLE = 64


@inner_kernel
def exponential(x: float) -> float:
    """Return ``e ** x``: reduced to ``|r| <= ln(2) / 2``, then the Taylor polynomial of degree 13."""
    if x != x:
        return x
    if x > 709.0:
        return math.inf
    if x < -708.0:
        return 0.0
    k = int(x * _LOG2_E + 0.5) if x >= 0.0 else -int(0.5 - x * _LOG2_E)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    value: float = p * bits_double((k + 1023) << 52)
    return value


@inner_kernel
def logarithm(x: float) -> float:
    """Return the natural logarithm of a float64 that is no subnormal: the exponent, and a series of the mantissa."""
    if x != x or x < 0.0:
        return math.nan
    if x == 0.0:
        return -math.inf
    if x == math.inf:
        return x
    bits = double_bits(x)
    k = (bits >> 52) - 1023
    m = bits_double((bits & _MANTISSA) | _ONE_BITS)
    if m * _SQRT_HALF > 1.0:
        m *= 0.5
        k += 1
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    p = 1.0 / 21.0
    p = p * q + 1.0 / 19.0
    p = p * q + 1.0 / 17.0
    p = p * q + 1.0 / 15.0
    p = p * q + 1.0 / 13.0
    p = p * q + 1.0 / 11.0
    p = p * q + 1.0 / 9.0
    p = p * q + 1.0 / 7.0
    p = p * q + 1.0 / 5.0
    p = p * q + 1.0 / 3.0
    p = p * q + 1.0
    value: float = k * _LN2_HIGH + (2.0 * s * p + k * _LN2_LOW)
    return value


@inner_kernel
def logistic(x: float) -> float:
    """Return ``1 / (1 + e ** -x)``."""
    return 1.0 / (1.0 + exponential(-x))


@inner_kernel
def hyperbolic_tangent(x: float) -> float:
    """Return the hyperbolic tangent, odd to the last bit."""
    size = -x if x < 0.0 else x
    if size < _TINY_TANH:
        return x - x * x * x / 3.0
    power = exponential(-2.0 * size)
    value = (1.0 - power) / (1.0 + power)
    return -value if x < 0.0 else value


@inner_kernel
def complementary_error(z: float) -> float:
    """Return ``1 - erf(z)`` for ``z >= 0``: a series of positive terms, or a continued fraction from 2.5 on."""
    if z < _SERIES_BELOW:
        return 1.0 - error_series(z)
    square = z * z
    fraction = z
    for term in range(_FRACTION_TERMS, 0, -1):
        fraction = z + 0.5 * term / fraction
    return _ONE_OVER_SQRT_PI * exponential(-square) / fraction


@inner_kernel
def error_series(z: float) -> float:
    """Return the error function for ``0 <= z < 2.5``."""
    square = 2.0 * z * z
    term = z
    total = z
    for n in range(1, _SERIES_TERMS):
        term *= square / (2 * n + 1)
        total += term
        if term <= total * _NEGLIGIBLE:
            break
    return _TWO_OVER_SQRT_PI * exponential(-z * z) * total


@inner_kernel
def error_function(x: float) -> float:
    """Return the error function."""
    if x != x:
        return x
    size = -x if x < 0.0 else x
    value = error_series(size) if size < _SERIES_BELOW else 1.0 - complementary_error(size)
    return -value if x < 0.0 else value


@inner_kernel
def gaussian_unit(x: float) -> float:
    """Return ``x`` times the probability that a standard normal variable is below `x` (GELU)."""
    if x != x or x == math.inf:
        return x
    if x < -37.0:
        return -0.0
    tail = 0.5 * complementary_error((-x if x < 0.0 else x) * _SQRT_HALF)
    return x * (tail if x < 0.0 else 1.0 - tail)


@inner_kernel
def gaussian_unit_tanh(x: float) -> float:
    """Return the approximation ``x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x ** 3)))`` of GELU."""
    if x == -math.inf:
        return -0.0
    return x * logistic(2.0 * _GELU_SCALE * (x + 0.044715 * x * x * x))


@inner_kernel
def power(x: float, exponent: float) -> float:
    """Return ``x ** exponent``; whole exponents up to 64 by products, others by logarithm and exponential."""
    size = -exponent if exponent < 0.0 else exponent
    if size <= _LARGEST_WHOLE and size == math.floor(size):
        left = int(size)
        base, value = x, 1.0
        while left > 0:
            if left & 1:
                value *= base
            base *= base
            left >>= 1
        return 1.0 / value if exponent < 0.0 else value
    if x == 0.0:
        return math.inf if exponent < 0.0 else 0.0
    return exponential(exponent * logarithm(x))
