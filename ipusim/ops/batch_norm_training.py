"""Batch normalisation with the statistics of the batch, as in training."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.normalisation import (
    EPSILON,
    centred,
    check_channels,
    inverse_deviation,
    normal_gradient,
    per_channel,
    scale_gradients,
)
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Expansion, F64Array, Saved, TensorType, Whole


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    return check_channels(inputs, attrs)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, *channels = arrays
    shape = [1] * x.ndim
    axis = int(str(attrs["axis"])) % x.ndim
    shape[axis] = -1
    scale, shift = (each.reshape(shape) for each in channels)
    axes = tuple(each for each in range(x.ndim) if each != axis)
    deviation = x - x.mean(axis=axes, keepdims=True)
    variance = np.mean(deviation**2, axis=axes, keepdims=True)
    return np.asarray(deviation / np.sqrt(variance + float(str(attrs["epsilon"]))) * scale + shift)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> Saved:
    x, scale, shift = inputs
    axis = axis_of(x, attrs)
    axes = tuple(each for each in range(len(x.shape)) if each != axis)
    deviation = centred(graph, x, axes)
    inverse = inverse_deviation(graph, x, deviation, axes, attrs)
    normal = graph.add("mul", deviation, inverse)
    scaled = graph.add("mul", normal, per_channel(graph, x, axis, scale.name))
    graph.add("add", scaled, per_channel(graph, x, axis, shift.name))
    return {"normal": normal, "inverse": inverse}


def _gradient(call: Backward) -> Gradients:
    x, scale, _ = call.inputs
    axis = axis_of(x, call.attrs)
    axes = tuple(each for each in range(len(x.shape)) if each != axis)
    scaled = call.add("mul", call.upstream, per_channel(call.graph, x, axis, scale.name))
    viewed = (x.shape[axis], *(1,) * (len(x.shape) - axis - 1))
    gradient = normal_gradient(call, scaled, axes, centre=True) if call.wanted[0] else None
    return (gradient, *scale_gradients(call, viewed))


OP = composite(
    "batch_norm_training",
    "Batch normalisation with mean and variance of the batch itself",
    ("x", "scale", "shift"),
    _infer,
    _reference,
    _expand,
    (EPSILON, Whole("axis", "Axis of the channels", 1)),
    flops_per_element=7,
    gradient=_gradient,
)
