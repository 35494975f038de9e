"""A smooth rectified linear unit: ``log(1 + e ** x)``."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array


def _softplus(x: F64Array) -> F64Array:
    return np.asarray(np.logaddexp(0.0, x))


OP = elementwise("softplus", "Logarithm of one plus the exponential of every element", ("x",), _softplus, 3)
