"""One over the root of the mean square, the factor of normalisations."""

from __future__ import annotations

from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.mean_squares import mean_squares
from ipusim.ops.reduction import reduced_count, reduction, spread
from ipusim.ops.spec import Attrs, Real

EPSILON = Real("epsilon", "Added to the mean square, so that its root is never zero", 1e-5)


def _finish(attrs: Attrs) -> tuple[tuple[str, Attrs], ...]:
    return ("scale_shift", {"scale": 1.0, "shift": attrs["epsilon"]}), ("rsqrt", {})


def _gradient(call: Backward) -> Gradients:
    """``-x y³ dy / n``, for `n` elements under the root."""
    cube = call.add("mul", call.add("square", call.output.name), call.output.name)
    scaled = call.add("scale_shift", call.add("mul", cube, call.upstream), scale=-1.0 / reduced_count(call))
    return (call.add("mul", call.inputs[0].name, spread(call, scaled)),)


OP = reduction(
    "inverse_deviation",
    "One over the root of the mean square plus a constant, along some axes",
    mean_squares,
    "square_add",
    flops_per_element=2,
    averages=True,
    attributes=(EPSILON,),
    finish=_finish,
    gradient=_gradient,
)
