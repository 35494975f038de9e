"""Exponential linear unit: ``alpha (e ** x - 1)`` below zero."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients, positive
from ipusim.ops.spec import F64Array, Real


def _elu(x: F64Array, alpha: float) -> F64Array:
    return np.where(x < 0.0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def _gradient(call: Backward) -> Gradients:
    """``alpha e ** x`` where the element is not positive: the result plus alpha."""
    slope = call.add("scale_shift", call.output.name, scale=1.0, shift=call.attrs["alpha"])
    below = call.add("mul", call.upstream, slope)
    return (call.add("where", positive(call, call.inputs[0]), call.upstream, below),)


OP = elementwise(
    "elu",
    "Exponential linear unit",
    ("x",),
    _elu,
    flops_per_element=3,
    attributes=(Real("alpha", "Minus the limit far below zero", 1.0),),
    gradient=_gradient,
)
