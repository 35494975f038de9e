"""Cosine of every element, in radians."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("cos", "Cosine of every element, in radians", ("x",), np.cos)
