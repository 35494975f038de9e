"""Logistic function ``1 / (1 + e ** -x)``."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def logistic(x: F64Array) -> F64Array:
    """Return the logistic function without overflow."""
    power = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, power) / (1.0 + power)


def _gradient(call: Backward) -> Gradients:
    from ipusim.ops.activation_gradient import through

    return through("sigmoid", call)


OP = elementwise("sigmoid", "Logistic function of every element", ("x",), logistic, gradient=_gradient)
