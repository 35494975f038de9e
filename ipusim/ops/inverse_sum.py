"""One over the sum, the factor of a softmax."""

from __future__ import annotations

import numpy as np

from ipusim.ops.reduction import reduction

OP = reduction(
    "inverse_sum", "One over the sum along some axes", np.sum, "add", finish=lambda _attrs: (("reciprocal", {}),)
)
