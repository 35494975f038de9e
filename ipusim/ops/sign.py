"""Sign of every element: -1, 0 or 1."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("sign", "Sign of every element: -1, 0 or 1", ("x",), np.sign)
