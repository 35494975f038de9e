"""Mean of squares over axes, the statistic of normalisations."""

from __future__ import annotations

import numpy as np

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import reduced_count, reduction, spread
from ipusim.ops.spec import F64Array


def mean_squares(x: F64Array, axis: tuple[int, ...], keepdims: bool) -> F64Array:
    """Return the mean of the squares of an array along axes."""
    return np.asarray(np.mean(np.square(x), axis=axis, keepdims=keepdims))


def _gradient(call: Backward) -> Gradients:
    """``2 x dy / n``."""
    scaled = call.add("scale_shift", call.upstream, scale=2.0 / reduced_count(call))
    return (call.add("mul", call.inputs[0].name, spread(call, scaled)),)


OP = reduction(
    "mean_squares",
    "Mean of the squares along some axes",
    mean_squares,
    "square_add",
    flops_per_element=2,
    averages=True,
    gradient=_gradient,
)
