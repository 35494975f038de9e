"""One where an element is equal to another one, zero elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise(
    "equal",
    "1 where an element is equal to the other one, 0 elsewhere; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.equal,
)
