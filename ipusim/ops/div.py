"""Quotient of two tensors, element by element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    """``dy / b`` and ``-(dy / b) y``."""
    share = call.add("div", call.upstream, call.inputs[1].name)
    if not call.wanted[1]:
        return share, None
    return share, call.add("neg", call.add("mul", share, call.output.name))


OP = elementwise(
    "div",
    "Quotient of two tensors, element by element; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.divide,
    vertex="divide",
    gradient=_gradient,
)
