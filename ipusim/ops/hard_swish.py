"""Every element times a straight line that is cut to the interval from 0 to 1."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array


def _hard_swish(x: F64Array) -> F64Array:
    return x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)


OP = elementwise(
    "hard_swish",
    "Every element times (x / 6 + 1/2), which is cut to the interval from 0 to 1",
    ("x",),
    _hard_swish,
    flops_per_element=4,
)
