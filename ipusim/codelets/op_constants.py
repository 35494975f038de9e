"""Worker slots of the inner loop of every elementwise operator.

Source of all: poplibs lib/popops/popopsCycleEstimators.hpp (dense reference, section 3, "Op constants").
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpConstant:
    """The loop of one operator.

    Attributes
    ----------
    float16, float32 : tuple of two int
        ``(worker slots, elements)`` of one pass of the loop.
    access_cycles : int
        Slots per pass that the loop takes beside those, to load and store.
    vector : bool
        The operator acts on whole 64-bit vectors at once.
    """

    float16: tuple[int, int]
    float32: tuple[int, int]
    access_cycles: int = 0
    vector: bool = False


BINARY_OPS = {
    "add": OpConstant((1, 4), (1, 2), 2, True),
    "subtract": OpConstant((1, 4), (1, 2), 2, True),
    "multiply": OpConstant((1, 4), (1, 2), 2, True),
    "maximum": OpConstant((4, 4), (3, 2)),
    "minimum": OpConstant((4, 4), (3, 2)),
    "divide": OpConstant((21, 4), (10, 2)),
    "power": OpConstant((325, 1), (312, 1)),
    "equal": OpConstant((9, 4), (14, 4)),
}
"""Operators of two operands."""
