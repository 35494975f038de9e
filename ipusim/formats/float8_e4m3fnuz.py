"""8-bit format with 4 exponent and 3 fraction bits, without infinity and -0: the F143 of the C600.

Source: Noune et al., "8-bit Numerical Formats for Deep Neural Networks", 2022.
"""

from ipusim.formats.format import Format

FORMAT = Format(
    name="float8_e4m3fnuz",
    bytes=1,
    significand_bits=4,
    min_exponent=-7,
    max_exponent=7,
    max=240.0,
    overflow="nan",
    signed_zero=False,
)
