"""What a binary floating-point number format is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format.

    Attributes
    ----------
    name : str
        As users write it; also the name of the module that defines it.
    bytes : int
        Storage of one element.
    significand_bits : int
        Bits of precision of a normal number, the implicit leading bit included.
    min_exponent, max_exponent : int
        Exponent ``e`` of the smallest and of the largest normal number, both of the form ``1.x * 2**e``.
    max : float
        Largest finite number.
    overflow : str
        What a value past `max` becomes: ``infinity``, or ``nan`` in the formats that have no infinity.
    signed_zero : bool
        Whether -0 exists beside +0.
    """

    name: str
    bytes: int
    significand_bits: int
    min_exponent: int
    max_exponent: int
    max: float
    overflow: str = "infinity"
    signed_zero: bool = True

    @property
    def bits(self) -> int:
        """Storage of one element in bits."""
        return 8 * self.bytes

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding to nearest in the normal range: ``2**-significand_bits``."""
        return 2.0**-self.significand_bits

    @property
    def smallest_normal(self) -> float:
        """Smallest positive number with full precision."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive number; also the spacing of all numbers below :attr:`smallest_normal`."""
        return 2.0 ** (self.min_exponent - self.significand_bits + 1)
