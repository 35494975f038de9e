"""What the reductions of popops share: widths of accumulators and loads.

Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp (dense reference, section 3.1).
"""

from __future__ import annotations


def accumulator_width(float_partials: bool) -> int:
    """Return the elements that are added at once: 4 of 32 bits, 8 of 16 bits."""
    return 4 if float_partials else 8


def vector_width(float_type: bool) -> int:
    """Return the elements in 64 bits."""
    return 2 if float_type else 4


def load_width(width: int, float_partials: bool, interleaved: bool) -> int:
    """Return the elements taken in at once: at most `width`, at most one load (two in interleaved memory)."""
    return min(width, vector_width(float_partials) * (2 if interleaved else 1))


def is_add(op: str) -> bool:
    """Return whether a reduction runs on the accumulators: a sum, or a sum of squares."""
    return op in ("add", "square_add")
