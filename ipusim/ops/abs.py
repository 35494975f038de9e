"""Magnitude."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise
from ipusim.ops.gradient import Backward, Gradients


def _gradient(call: Backward) -> Gradients:
    return (call.add("mul", call.upstream, call.add("sign", call.inputs[0].name)),)


OP = elementwise("abs", "Magnitude of every element", ("x",), np.abs, gradient=_gradient)
