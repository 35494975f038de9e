"""Largest whole number that is not above an element."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("floor", "Largest whole number that is not above an element", ("x",), np.floor)
