"""Multiplication with a constant, then addition of one."""

from __future__ import annotations

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import F64Array, Real


def _scale_shift(x: F64Array, scale: float, shift: float) -> F64Array:
    return x * scale + shift


def _gradient(call: Backward) -> Gradients:
    if call.attrs["scale"] == 1.0:
        return (call.upstream,)
    return (call.add("scale_shift", call.upstream, scale=call.attrs["scale"]),)


OP = elementwise(
    "scale_shift",
    "Every element times a constant plus a constant",
    ("x",),
    _scale_shift,
    flops_per_element=2,
    attributes=(Real("scale", "Factor", 1.0), Real("shift", "Added to the product", 0.0)),
    gradient=_gradient,
)
