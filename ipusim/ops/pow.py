"""Power with a constant exponent."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array, Real


def _power(x: F64Array, exponent: float) -> F64Array:
    return np.asarray(np.power(x, exponent))


OP = elementwise(
    "pow",
    "Every element to the power of a constant",
    ("x",),
    _power,
    vertex="power",
    attributes=(Real("exponent", "The power"),),
)
