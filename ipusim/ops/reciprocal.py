"""One over every element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("reciprocal", "One over every element", ("x",), np.reciprocal, vertex="inverse")
