"""Sine of every element, in radians."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("mul", call.upstream, call.add("cos", call.inputs[0].name)),)


OP = elementwise("sin", "Sine of every element, in radians", ("x",), np.sin, gradient=_gradient)
