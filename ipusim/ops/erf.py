"""Error function."""

from __future__ import annotations

import math

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array


def _error_function(x: F64Array) -> F64Array:
    from scipy.special import erf

    return np.asarray(erf(x), dtype=np.float64)


def _gradient(call: Backward) -> Gradients:
    """``dy 2 / sqrt(pi) exp(-x^2)``."""
    bell = call.add("exp", call.add("neg", call.add("square", call.inputs[0].name)))
    return (call.add("scale_shift", call.add("mul", call.upstream, bell), scale=2.0 / math.sqrt(math.pi)),)


OP = elementwise("erf", "Error function of every element", ("x",), _error_function, gradient=_gradient)
