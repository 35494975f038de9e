"""Rectifier: ``max(x, 0)``."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def _relu(x: F64Array) -> F64Array:
    return np.maximum(x, 0.0)


def _gradient(call: Backward) -> Gradients:
    from ipusim.ops.activation_gradient import through

    return through("relu", call)


OP = elementwise("relu", "Rectifier: every negative element becomes zero", ("x",), _relu, gradient=_gradient)
