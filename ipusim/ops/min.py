"""Minimum over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.reduction import of_extremes, reduction

OP = reduction("min", "Smallest element along some axes", np.min, "min", gradient=of_extremes)
