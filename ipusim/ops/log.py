"""Natural logarithm."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("log", "Natural logarithm of every element", ("x",), np.log)
