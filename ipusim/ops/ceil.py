"""Smallest whole number that is not below an element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("ceil", "Smallest whole number that is not below an element", ("x",), np.ceil)
