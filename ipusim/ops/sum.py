"""Sum over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.reduction import reduction

OP = reduction("sum", "Sum over some axes", np.sum, "add")
