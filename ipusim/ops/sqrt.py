"""Square root."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("sqrt", "Square root of every element", ("x",), np.sqrt)
