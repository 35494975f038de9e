"""Layer normalisation: every row to mean 0 and variance 1, then scaled and shifted."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.normalisation import EPSILON, centred, check_rows, inverse_deviation, normal_gradient, scale_gradients
from ipusim.ops.spec import Attrs, Expansion, F64Array, Saved, TensorType


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    return check_rows(inputs)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, scale, shift = arrays
    deviation = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(deviation**2, axis=-1, keepdims=True)
    return np.asarray(deviation / np.sqrt(variance + float(str(attrs["epsilon"]))) * scale + shift)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> Saved:
    x, scale, shift = inputs
    deviation = centred(graph, x, (-1,))
    inverse = inverse_deviation(graph, x, deviation, (-1,), attrs)
    normal = graph.add("mul", deviation, inverse)
    graph.add("add", graph.add("mul", normal, scale.name), shift.name)
    return {"normal": normal, "inverse": inverse}


def _gradient(call: Backward) -> Gradients:
    scale = call.inputs[1]
    scaled = call.add("mul", call.upstream, scale.name)
    x = normal_gradient(call, scaled, (-1,), centre=True) if call.wanted[0] else None
    return (x, *scale_gradients(call, scale.shape))


OP = composite(
    "layer_norm",
    "Layer normalisation of the last axis, with scale and shift",
    ("x", "scale", "shift"),
    _infer,
    _reference,
    _expand,
    (EPSILON,),
    flops_per_element=7,
    gradient=_gradient,
)
