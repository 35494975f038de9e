"""Every element, cut to an interval."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array, Real


def _clip(x: F64Array, low: float, high: float) -> F64Array:
    return np.asarray(np.minimum(np.maximum(x, low), high))


def _gradient(call: Backward) -> Gradients:
    """What was not cut has the gradient."""
    return (call.add("mul", call.upstream, call.add("equal", call.inputs[0].name, call.output.name)),)


OP = elementwise(
    "clip",
    "Every element, cut to the interval from `low` to `high`",
    ("x",),
    _clip,
    flops_per_element=2,
    attributes=(Real("low", "Smallest result"), Real("high", "Largest result")),
    gradient=_gradient,
)
