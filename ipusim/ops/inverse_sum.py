"""One over the sum, the factor of a softmax."""

from __future__ import annotations

import numpy as np

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import reduction, spread


def _gradient(call: Backward) -> Gradients:
    """``-y² dy``, for every element that was added."""
    scaled = call.add("mul", call.add("square", call.output.name), call.upstream)
    return (spread(call, call.add("neg", scaled)),)


OP = reduction(
    "inverse_sum",
    "One over the sum along some axes",
    np.sum,
    "add",
    finish=lambda _attrs: (("reciprocal", {}),),
    gradient=_gradient,
)
