"""Elements of one tensor where a condition holds, those of another one elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array


def _where(condition: F64Array, a: F64Array, b: F64Array) -> F64Array:
    return np.where(condition != 0.0, a, b)


OP = elementwise(
    "where",
    "Elements of `a` where the condition is not 0, of `b` elsewhere; extents that are 1 or missing broadcast",
    ("condition", "a", "b"),
    _where,
    vertex="select",
)
