"""Rectified linear unit with a slope below zero."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.spec import F64Array, Real


def _leaky_relu(x: F64Array, slope: float) -> F64Array:
    return np.where(x < 0.0, slope * x, x)


OP = elementwise(
    "leaky_relu",
    "Every element where it is positive, times a slope where it is negative",
    ("x",),
    _leaky_relu,
    attributes=(Real("slope", "Factor of negative elements", 0.01),),
)
