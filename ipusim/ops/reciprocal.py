"""One over every element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    """``-dy y^2``."""
    return (call.add("neg", call.add("mul", call.upstream, call.add("square", call.output.name))),)


OP = elementwise("reciprocal", "One over every element", ("x",), np.reciprocal, vertex="inverse", gradient=_gradient)
