"""Batch normalisation with given statistics, as in inference."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.normalisation import EPSILON, check_channels, per_channel
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Expansion, F64Array, TensorType, Whole


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    return check_channels(inputs, attrs)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, *channels = arrays
    shape = [1] * x.ndim
    shape[int(str(attrs["axis"]))] = -1
    scale, shift, mean, variance = (each.reshape(shape) for each in channels)
    return np.asarray((x - mean) / np.sqrt(variance + float(str(attrs["epsilon"]))) * scale + shift)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Factor and offset of every channel first; then one multiplication and one addition per element."""
    x, scale, shift, mean, variance = inputs
    axis = axis_of(x, attrs)
    inverse = graph.add("rsqrt", graph.add("scale_shift", variance.name, scale=1.0, shift=attrs["epsilon"]))
    factor = graph.add("mul", scale.name, inverse)
    offset = graph.add("sub", shift.name, graph.add("mul", mean.name, factor))
    scaled = graph.add("mul", x.name, per_channel(graph, x, axis, factor))
    graph.add("add", scaled, per_channel(graph, x, axis, offset))


OP = composite(
    "batch_norm",
    "Batch normalisation with given mean and variance of every channel",
    ("x", "scale", "shift", "mean", "variance"),
    _infer,
    _reference,
    _expand,
    (EPSILON, Whole("axis", "Axis of the channels", 1)),
    flops_per_element=2,
)
