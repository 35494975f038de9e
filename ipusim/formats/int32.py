"""Whole numbers: indices, tokens and labels.

The arrays that carry values are float32, which hold whole numbers exactly up to 2**24: that is the range here, not
that of 32 bits. In the terms of :class:`~ipusim.formats.format.Format` every number is subnormal: the spacing is 1.
"""

from ipusim.formats.format import Format

FORMAT = Format(
    name="int32",
    bytes=4,
    significand_bits=24,
    min_exponent=23,
    max_exponent=23,
    max=2.0**24 - 1.0,
    overflow="nan",
    signed_zero=False,
)
