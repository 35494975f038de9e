"""How the results of vertices are rounded to the number formats of their variables.

Kernels themselves round to float32 and, to nearest, to float16, and the sums of a product to float16 in either way.
Everything else is left in float32 and rounded in a second pass over what was written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from math import frexp

import numpy as np

from ipusim.formats import Format, number_format
from ipusim.kernels.rounding import Grid


@dataclass(frozen=True, slots=True)
class Rounding:
    """How results are rounded to formats narrower than float32.

    Attributes
    ----------
    stochastic : bool
        At random, so that the mean is exact; else to nearest, ties to even.
    seed : int
        Of the random bits.
    """

    stochastic: bool = False
    seed: int = 0

    def key(self, *place: object) -> int:
        """Return 64 bits for what happens at a place of the program."""
        text = "\n".join(map(str, (self.seed, *place)))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


NEAREST = Rounding()


@cache
def rounded_format(name: str, stochastic: bool = False, scale: float = 1.0) -> Format:
    """Return a number format of numbers that are multiples of `scale`, with the errors of how it is rounded.

    Stochastic rounding errs by up to the distance of two neighbours rather than half of it: as if the format had one
    bit less.
    """
    number = number_format(name)
    if stochastic and name != "float32":
        number = replace(number, significand_bits=number.significand_bits - 1)
    if scale == 1.0:
        return number
    exponent = frexp(scale)[1] - 1
    return replace(
        number,
        min_exponent=number.min_exponent + exponent,
        max_exponent=number.max_exponent + exponent,
        max=number.max * scale,
    )


@cache
def grid_of(name: str, scale: float = 1.0) -> Grid:
    """Return a number format, with numbers that are multiples of `scale`, as the kernels take it."""
    number = number_format(name)
    narrow = number.min_exponent > -126
    return Grid(
        np.uint32(24 - number.significand_bits),
        np.float32(number.smallest_normal if narrow else 0.0),
        np.float32(number.max),
        np.float32(number.smallest_subnormal * 2.0**23 if narrow else 0.0),
        np.float32(np.nan if number.overflow == "nan" else np.inf),
        number.signed_zero,
        np.float32(scale),
    )
