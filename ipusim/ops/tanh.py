"""Hyperbolic tangent."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("tanh", "Hyperbolic tangent of every element", ("x",), np.tanh)
