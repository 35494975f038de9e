"""Mean over axes."""

from __future__ import annotations

import numpy as np

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import reduced_count, reduction, spread


def _gradient(call: Backward) -> Gradients:
    return (spread(call, call.add("scale_shift", call.upstream, scale=1.0 / reduced_count(call))),)


OP = reduction("mean", "Mean over some axes", np.mean, "add", averages=True, gradient=_gradient)
