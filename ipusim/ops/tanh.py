"""Hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    from ipusim.ops.activation_gradient import through

    return through("tanh", call)


OP = elementwise("tanh", "Hyperbolic tangent of every element", ("x",), np.tanh, gradient=_gradient)
