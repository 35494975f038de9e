"""Gaussian error linear unit: ``x`` times the probability that a standard normal variable is below it."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.sigmoid import logistic
from ipusim.ops.spec import Attrs, Choice, F64Array


def _gelu(x: F64Array, approximate: str) -> F64Array:
    if approximate == "tanh":
        return x * logistic(2.0 * np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3))
    from scipy.special import ndtr

    return np.asarray(x * ndtr(x), dtype=np.float64)


def _vertex(attrs: Attrs) -> str:
    return "gelu" if attrs["approximate"] == "tanh" else "gelu_erf"


def _gradient(call: Backward) -> Gradients:
    from ipusim.ops.activation_gradient import through

    return through(_vertex(call.attrs), call)


OP = elementwise(
    "gelu",
    "Gaussian error linear unit, exact or in the usual approximation by a hyperbolic tangent",
    ("x",),
    _gelu,
    vertex=_vertex,
    gradient=_gradient,
    attributes=(Choice("approximate", "Approximation of the function", choices=("none", "tanh"), default="none"),),
)
