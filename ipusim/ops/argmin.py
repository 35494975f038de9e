"""Index of the smallest element along an axis, the first of equal ones."""

from __future__ import annotations

from ipusim.ops.extremes import extreme_index

OP = extreme_index("argmin", smallest=True)
