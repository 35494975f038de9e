"""One over the square root."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array


def _rsqrt(x: F64Array) -> F64Array:
    return 1.0 / np.sqrt(x)


OP = elementwise("rsqrt", "One over the square root of every element", ("x",), _rsqrt)
