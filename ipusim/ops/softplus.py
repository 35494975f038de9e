"""A smooth rectified linear unit: ``log(1 + e ** x)``."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def _softplus(x: F64Array) -> F64Array:
    return np.asarray(np.logaddexp(0.0, x))


def _gradient(call: Backward) -> Gradients:
    return (call.add("mul", call.upstream, call.add("sigmoid", call.inputs[0].name)),)


OP = elementwise(
    "softplus",
    "Logarithm of one plus the exponential of every element",
    ("x",),
    _softplus,
    flops_per_element=3,
    gradient=_gradient,
)
