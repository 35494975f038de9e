"""Square."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("scale_shift", call.add("mul", call.upstream, call.inputs[0].name), scale=2.0),)


OP = elementwise("square", "Square of every element", ("x",), np.square, gradient=_gradient)
