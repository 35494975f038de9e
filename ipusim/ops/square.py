"""Square."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("square", "Square of every element", ("x",), np.square)
