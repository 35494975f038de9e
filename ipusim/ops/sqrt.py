"""Square root."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    """``dy / 2 y``."""
    share = call.add("div", call.upstream, call.output.name)
    return (call.add("scale_shift", share, scale=0.5),)


OP = elementwise("sqrt", "Square root of every element", ("x",), np.sqrt, gradient=_gradient)
