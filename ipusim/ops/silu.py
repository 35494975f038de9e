"""Sigmoid linear unit ``x / (1 + e ** -x)`` (swish)."""

from __future__ import annotations

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.sigmoid import logistic
from ipusim.ops.spec import F64Array


def _silu(x: F64Array) -> F64Array:
    return x * logistic(x)


def _gradient(call: Backward) -> Gradients:
    from ipusim.ops.activation_gradient import through

    return through("swish", call)


OP = elementwise(
    "silu",
    "Sigmoid linear unit, also called swish: every element times its logistic function",
    ("x",),
    _silu,
    vertex="swish",
    gradient=_gradient,
)
