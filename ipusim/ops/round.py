"""Nearest whole number of every element, the even one of two."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("round", "Nearest whole number of every element, the even one of two", ("x",), np.rint)
