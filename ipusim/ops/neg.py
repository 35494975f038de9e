"""Change of sign."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("neg", "Every element with the other sign", ("x",), np.negative, vertex="negate")
