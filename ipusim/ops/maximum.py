"""The larger of two elements."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    """The operand that was taken has the gradient; of two equal ones the first."""
    first, second = (tensor.name for tensor in call.inputs)
    taken = call.add("mul", call.upstream, call.add("greater_equal", first, second))
    return taken, call.add("sub", call.upstream, taken) if call.wanted[1] else None


OP = elementwise(
    "maximum",
    "The larger of two elements; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.maximum,
    gradient=_gradient,
)
