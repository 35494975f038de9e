"""8-bit format with 5 exponent and 2 fraction bits, without infinity and -0: the F152 of the C600.

Source: Noune et al., "8-bit Numerical Formats for Deep Neural Networks", 2022.
"""

from ipusim.formats.format import Format

FORMAT = Format(
    name="float8_e5m2fnuz",
    bytes=1,
    significand_bits=3,
    min_exponent=-15,
    max_exponent=15,
    max=57344.0,
    overflow="nan",
    signed_zero=False,
)
