"""IEEE 754 binary16, ``half`` in the vocabulary of the IPU."""

from ipusim.formats.format import Format

FORMAT = Format(
    name="float16",
    bytes=2,
    significand_bits=11,
    min_exponent=-14,
    max_exponent=15,
    max=65504.0,
)
