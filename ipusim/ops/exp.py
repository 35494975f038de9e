"""Exponential function."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("exp", "Exponential function of every element", ("x",), np.exp)
