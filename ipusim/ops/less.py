"""One where an element is less than another one, zero elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise(
    "less",
    "1 where an element is less than the other one, 0 elsewhere; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.less,
)
