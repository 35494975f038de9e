"""Natural logarithm."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("div", call.upstream, call.inputs[0].name),)


OP = elementwise("log", "Natural logarithm of every element", ("x",), np.log, gradient=_gradient)
