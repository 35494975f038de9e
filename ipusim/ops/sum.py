"""Sum over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import reduction, spread


def _gradient(call: Backward) -> Gradients:
    return (spread(call, call.upstream),)


OP = reduction("sum", "Sum over some axes", np.sum, "add", gradient=_gradient)
