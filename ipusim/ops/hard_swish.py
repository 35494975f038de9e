"""Every element times a straight line that is cut to the interval from 0 to 1."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients, inside_unit
from ipusim.ops.spec import F64Array


def _hard_swish(x: F64Array) -> F64Array:
    return x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def _gradient(call: Backward) -> Gradients:
    """The line, and a sixth of the element where the line was not cut."""
    x = call.inputs[0].name
    line = call.add("hard_sigmoid", x)
    sixth = call.add("mul", call.add("scale_shift", x, scale=1.0 / 6.0), inside_unit(call, line))
    return (call.add("mul", call.upstream, call.add("add", line, sixth)),)


OP = elementwise(
    "hard_swish",
    "Every element times (x / 6 + 1/2), which is cut to the interval from 0 to 1",
    ("x",),
    _hard_swish,
    flops_per_element=4,
    gradient=_gradient,
)
