"""Mean over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.reduction import reduction

OP = reduction("mean", "Mean over some axes", np.mean, "add", averages=True)
