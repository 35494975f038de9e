"""IEEE 754 binary32."""

from ipusim.formats.format import Format

FORMAT = Format(
    name="float32",
    bytes=4,
    significand_bits=24,
    min_exponent=-126,
    max_exponent=127,
    max=(2.0 - 2.0**-23) * 2.0**127,
)
