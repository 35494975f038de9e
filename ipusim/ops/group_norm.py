"""Group normalisation: some channels of an image together to mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

from dataclasses import replace

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
from ipusim.ops.spec import Attrs, Expansion, F64Array, Saved, ShapeError, TensorType, Whole, shown


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    x = inputs[0]
    groups = int(str(attrs["groups"]))
    if len(x.shape) < 2 or x.shape[1] % groups:
        raise ShapeError(f"the channels of {shown(x)} are not divisible into {groups} groups", attribute="groups")
    return check_channels(inputs, {"axis": 1})


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, scale, shift = arrays
    grouped = x.reshape(x.shape[0], int(str(attrs["groups"])), -1)
    deviation = grouped - grouped.mean(axis=-1, keepdims=True)
    variance = np.mean(deviation**2, axis=-1, keepdims=True)
    normal = (deviation / np.sqrt(variance + float(str(attrs["epsilon"])))).reshape(x.shape)
    column = (-1, *(1,) * (x.ndim - 2))
    return np.asarray(normal * scale.reshape(column) + shift.reshape(column))


def _grouped(x: Tensor, attrs: Attrs) -> tuple[int, ...]:
    """Return the shape of a tensor with a row for each group."""
    groups = int(str(attrs["groups"]))
    return x.shape[0], groups, x.n_elements // (x.shape[0] * groups)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> Saved:
    x, scale, shift = inputs
    shape = _grouped(x, attrs)
    grouped = Tensor(graph.add("reshape", x.name, shape=shape), shape, x.dtype)
    deviation = centred(graph, grouped, (-1,))
    inverse = inverse_deviation(graph, grouped, deviation, (-1,), attrs)
    normal = graph.add("mul", deviation, inverse)
    back = graph.add("reshape", normal, shape=x.shape)
    scaled = graph.add("mul", back, per_channel(graph, x, 1, scale.name))
    graph.add("add", scaled, per_channel(graph, x, 1, shift.name))
    return {"rows": normal, "normal": back, "inverse": inverse}


def _gradient(call: Backward) -> Gradients:
    x, scale, _ = call.inputs
    column = (x.shape[1], *(1,) * (len(x.shape) - 2))
    found = None
    if call.wanted[0]:
        shape = _grouped(x, call.attrs)
        scaled = call.add("mul", call.upstream, call.add("reshape", scale.name, shape=column))
        rows = replace(
            call,
            inputs=(replace(x, shape=shape), *call.inputs[1:]),
            saved={"normal": call.saved["rows"], "inverse": call.saved["inverse"]},
        )
        found = normal_gradient(rows, call.add("reshape", scaled, shape=shape), (-1,), centre=True)
        found = call.add("reshape", found, shape=x.shape)
    return (found, *scale_gradients(call, column))


OP = composite(
    "group_norm",
    "Normalisation of groups of channels of each image, with scale and shift for each channel",
    ("x", "scale", "shift"),
    _infer,
    _reference,
    _expand,
    (EPSILON, Whole("groups", "Groups of channels; as many as channels for instance normalisation", 1, 1)),
    flops_per_element=7,
    gradient=_gradient,
)
