"""Error function."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array


def _error_function(x: F64Array) -> F64Array:
    from scipy.special import erf

    return np.asarray(erf(x), dtype=np.float64)


OP = elementwise("erf", "Error function of every element", ("x",), _error_function)
