"""Power with a constant exponent."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array, Real


def _power(x: F64Array, exponent: float) -> F64Array:
    return np.asarray(np.power(x, exponent))


def _gradient(call: Backward) -> Gradients:
    """``dy e x^(e - 1)``."""
    exponent = float(str(call.attrs["exponent"]))
    slope = call.add("pow", call.inputs[0].name, exponent=exponent - 1.0)
    return (call.add("scale_shift", call.add("mul", call.upstream, slope), scale=exponent),)


OP = elementwise(
    "pow",
    "Every element to the power of a constant",
    ("x",),
    _power,
    vertex="power",
    attributes=(Real("exponent", "The power"),),
    gradient=_gradient,
)
