"""Difference of two tensors."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return call.upstream, call.add("neg", call.upstream) if call.wanted[1] else None


OP = elementwise(
    "sub",
    "Difference of two tensors; extents that are 1 or missing broadcast",
    ("a", "b"),
    np.subtract,
    vertex="subtract",
    gradient=_gradient,
)
