"""Exponential function."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("mul", call.upstream, call.output.name),)


OP = elementwise("exp", "Exponential function of every element", ("x",), np.exp, gradient=_gradient)
