"""Magnitude."""

from __future__ import annotations

import numpy as np

from ipusim.ops.elementwise import elementwise

OP = elementwise("abs", "Magnitude of every element", ("x",), np.abs)
