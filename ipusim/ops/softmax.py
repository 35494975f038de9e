"""Softmax along an axis: exponentials of the differences to the maximum, divided by their sum."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Expansion, F64Array, TensorType, Whole, computed_format


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    axis_of(inputs[0], attrs)
    return TensorType(inputs[0].shape, computed_format(inputs[0].dtype))


def softmax(x: F64Array, axis: int) -> F64Array:
    """Return the softmax of an array along an axis."""
    power = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(power / power.sum(axis=axis, keepdims=True), dtype=np.float64)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return softmax(arrays[0], int(str(attrs["axis"])))


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Maximum, exponentials of the differences, one over their sum, product with it: the order of poplibs.

    The sum and its inverse are float32. The inverse, which is the largest result of its row, is rounded to the format
    of the results.
    """
    (x,) = inputs
    axes = (axis_of(x, attrs),)
    power = graph.add("exp", graph.add("sub", x.name, graph.add("max", x.name, axes=axes, keepdims=True)))
    graph.add("mul", power, graph.add("inverse_sum", power, axes=axes, keepdims=True))


def _gradient(call: Backward) -> Gradients:
    """``y (dy - sum(y dy))``."""
    y = call.output
    total = call.add("sum", call.add("mul", y.name, call.upstream), axes=(axis_of(y, call.attrs),), keepdims=True)
    return (call.add("mul", y.name, call.add("sub", call.upstream, total)),)


OP = composite(
    "softmax",
    "Softmax along an axis",
    ("x",),
    _infer,
    _reference,
    _expand,
    (Whole("axis", "Axis along which the results add up to one", -1),),
    flops_per_element=5,
    gradient=_gradient,
)
