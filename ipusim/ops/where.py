"""Elements of one tensor where a condition holds, those of another one elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def _where(condition: F64Array, a: F64Array, b: F64Array) -> F64Array:
    return np.where(condition != 0.0, a, b)


def _gradient(call: Backward) -> Gradients:
    """The gradient where the condition holds for `a`, elsewhere for `b`; the condition has none."""
    condition = call.inputs[0].name
    zero = call.add("scale_shift", call.upstream, scale=0.0) if any(call.wanted[1:]) else ""
    return (
        None,
        call.add("where", condition, call.upstream, zero) if call.wanted[1] else None,
        call.add("where", condition, zero, call.upstream) if call.wanted[2] else None,
    )


OP = elementwise(
    "where",
    "Elements of `a` where the condition is not 0, of `b` elsewhere; extents that are 1 or missing broadcast",
    ("condition", "a", "b"),
    _where,
    vertex="select",
    gradient=_gradient,
)
