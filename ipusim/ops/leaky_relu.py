"""Rectified linear unit with a slope below zero."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients, positive
from ipusim.ops.spec import F64Array, Real


def _leaky_relu(x: F64Array, slope: float) -> F64Array:
    return np.where(x < 0.0, slope * x, x)


def _gradient(call: Backward) -> Gradients:
    """The slope where the element is not positive."""
    below = call.add("scale_shift", call.upstream, scale=call.attrs["slope"])
    return (call.add("where", positive(call, call.inputs[0]), call.upstream, below),)


OP = elementwise(
    "leaky_relu",
    "Every element where it is positive, times a slope where it is negative",
    ("x",),
    _leaky_relu,
    attributes=(Real("slope", "Factor of negative elements", 0.01),),
    gradient=_gradient,
)
