"""The upper half of binary32: its range, with 8 bits of precision."""

from ipusim.formats.format import Format

FORMAT = Format(
    name="bfloat16",
    bytes=2,
    significand_bits=8,
    min_exponent=-126,
    max_exponent=127,
    max=(2.0 - 2.0**-7) * 2.0**127,
)
