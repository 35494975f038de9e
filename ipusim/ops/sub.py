"""Difference of two tensors."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise(
    "sub",
    "Difference of two tensors; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.subtract,
    vertex="subtract",
)
