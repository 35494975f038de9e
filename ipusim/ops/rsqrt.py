"""One over the square root."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def _rsqrt(x: F64Array) -> F64Array:
    return 1.0 / np.sqrt(x)


def _gradient(call: Backward) -> Gradients:
    """``-dy y^3 / 2``."""
    cube = call.add("mul", call.add("square", call.output.name), call.output.name)
    return (call.add("scale_shift", call.add("mul", call.upstream, cube), scale=-0.5),)


OP = elementwise("rsqrt", "One over the square root of every element", ("x",), _rsqrt, gradient=_gradient)
