"""Sum of two tensors; a bias is a vector that broadcasts over the rows."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return call.upstream, call.upstream


OP = elementwise(
    "add",
    "Sum of two tensors; extents that are 1 or missing broadcast, so a bias may be a vector",
    ("a", "b"),
    np.add,
    gradient=_gradient,
)
