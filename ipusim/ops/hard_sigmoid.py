"""A straight line between zero and one, in place of the logistic function."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients, inside_unit
from ipusim.ops.spec import F64Array, Real


def _hard_sigmoid(x: F64Array, slope: float, shift: float) -> F64Array:
    return np.clip(slope * x + shift, 0.0, 1.0)


def _gradient(call: Backward) -> Gradients:
    """The slope where the line was not cut."""
    sloped = call.add("scale_shift", call.upstream, scale=call.attrs["slope"])
    return (call.add("mul", sloped, inside_unit(call, call.output.name)),)


OP = elementwise(
    "hard_sigmoid",
    "A straight line that is cut to the interval from 0 to 1",
    ("x",),
    _hard_sigmoid,
    flops_per_element=3,
    attributes=(Real("slope", "Slope of the line", 1.0 / 6.0), Real("shift", "The result at zero", 0.5)),
    gradient=_gradient,
)
