"""Product of two tensors, element by element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    """Each operand's gradient is that of the product times the other operand."""
    a, b = (tensor.name for tensor in call.inputs)
    return (
        call.add("mul", call.upstream, b) if call.wanted[0] else None,
        call.add("mul", call.upstream, a) if call.wanted[1] else None,
    )


OP = elementwise(
    "mul",
    "Product of two tensors, element by element; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.multiply,
    vertex="multiply",
    gradient=_gradient,
)
