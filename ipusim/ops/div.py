"""Quotient of two tensors, element by element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise(
    "div",
    "Quotient of two tensors, element by element; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.divide,
    vertex="divide",
)
