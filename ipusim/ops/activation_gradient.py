"""The gradient of an activation function: the derivative times the gradient of the result."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.sigmoid import logistic
from ipusim.ops.spec import Attrs, Choice, F64Array

OF_RESULT = ("relu", "sigmoid", "tanh")
"""Functions whose derivative follows from their result; that of the others needs their operand."""


def _tanh_gelu_slope(x: F64Array) -> F64Array:
    scale = np.sqrt(2.0 / np.pi)
    bent = np.tanh(scale * (x + 0.044715 * x**3))
    slope = 0.5 * (1.0 + bent) + 0.5 * x * (1.0 - bent**2) * scale * (1.0 + 3.0 * 0.044715 * x**2)
    return np.asarray(slope, dtype=np.float64)


def _slope(function: str, x: F64Array) -> F64Array:
    if function == "relu":
        return (x > 0.0).astype(np.float64)
    if function == "sigmoid":
        return x * (1.0 - x)
    if function == "tanh":
        return 1.0 - x**2
    if function == "gelu":
        return _tanh_gelu_slope(x)
    if function == "gelu_erf":
        from scipy.special import ndtr

        return np.asarray(ndtr(x) + x * np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi))
    share = logistic(x)
    return np.asarray(share * (1.0 + x * (1.0 - share)), dtype=np.float64)


def _product(x: F64Array, upstream: F64Array, function: str) -> F64Array:
    return _slope(function, x) * upstream


def _vertex(attrs: Attrs) -> str:
    return f"{attrs['function']}_gradient"


def through(function: str, call: Backward) -> Gradients:
    """Return the gradient of an activation function, one op of the backward pass."""
    known = call.output if function in OF_RESULT else call.inputs[0]
    return (call.add("activation_gradient", known.name, call.upstream, function=function),)


OP = elementwise(
    "activation_gradient",
    "Derivative of an activation function at `x` times `upstream`; `x` is the result of relu, sigmoid and tanh",
    ("x", "upstream"),
    _product,
    flops_per_element=2,
    vertex=_vertex,
    attributes=(Choice("function", "Activation function", choices=(*OF_RESULT, "gelu", "gelu_erf", "swish")),),
)
