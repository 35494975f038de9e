"""Maximum over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.reduction import of_extremes, reduction

OP = reduction("max", "Largest element along some axes", np.max, "max", gradient=of_extremes)
