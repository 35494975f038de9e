"""Change of sign."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("neg", call.upstream),)


OP = elementwise("neg", "Every element with the other sign", ("x",), np.negative, vertex="negate", gradient=_gradient)
