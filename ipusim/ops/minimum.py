"""The smaller of two elements."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise(
    "minimum", "The smaller of two elements; extents that are 1 or missing broadcast", ("a", "b"), np.minimum
)
