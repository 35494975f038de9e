"""Integer arithmetic that every cost formula uses."""

from __future__ import annotations


def ceil_div(a: int, b: int) -> int:
    """Return ``a / b`` rounded up, for ``a >= 0`` and ``b > 0``."""
    return (a + b - 1) // b


def round_up(a: int, b: int) -> int:
    """Return the smallest multiple of `b` that is at least `a`, for ``a >= 0`` and ``b > 0``."""
    return (a + b - 1) // b * b


def bit_count(a: int) -> int:
    """Return the number of ones in the binary form of `a`, for ``a >= 0``."""
    count = 0
    while a:
        count += a & 1
        a >>= 1
    return count


def floor_log2(a: int) -> int:
    """Return the largest `e` with ``2**e <= a``, for ``a >= 1``."""
    exponent = 0
    while a > 1:
        exponent += 1
        a >>= 1
    return exponent


def ceil_log2(a: int) -> int:
    """Return the smallest `e` with ``2**e >= a``, for ``a >= 1``."""
    return floor_log2(2 * a - 1)


def floor_root(a: int, degree: int) -> int:
    """Return the largest `r` with ``r**degree <= a``, for ``a >= 0`` and ``degree >= 1``."""
    root = int(a ** (1.0 / degree))
    while root**degree > a:
        root -= 1
    while (root + 1) ** degree <= a:
        root += 1
    return root


def loop_cycles(iterations: int) -> int:
    """Return the supervisor cycles of a counted loop's branches: six for each branch taken, one for the last.

    Source: the comments on ``brnzdec`` in the cycle estimators of poplibs (poplin).
    """
    return 6 * (iterations - 1) + 1
