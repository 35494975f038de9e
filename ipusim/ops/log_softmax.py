"""Logarithm of the softmax along an axis."""

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


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,), axis = arrays, int(str(attrs["axis"]))
    shifted = x - x.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Differences to the maximum, less the logarithm of the sum of their exponentials."""
    (x,) = inputs
    axes = (axis_of(x, attrs),)
    shifted = graph.add("sub", x.name, graph.add("max", x.name, axes=axes, keepdims=True))
    total = graph.add("sum", graph.add("exp", shifted), axes=axes, keepdims=True)
    graph.add("sub", shifted, graph.add("log", total))


def _gradient(call: Backward) -> Gradients:
    """``dy - softmax sum(dy)``; the softmax is the exponential of the result."""
    total = call.add("sum", call.upstream, axes=(axis_of(call.output, call.attrs),), keepdims=True)
    return (call.add("sub", call.upstream, call.add("mul", call.add("exp", call.output.name), total)),)


OP = composite(
    "log_softmax",
    "Logarithm of the softmax along an axis",
    ("x",),
    _infer,
    _reference,
    _expand,
    (Whole("axis", "Axis along which the exponentials of the results add up to one", -1),),
    flops_per_element=5,
    gradient=_gradient,
)
