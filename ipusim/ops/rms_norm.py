"""Root-mean-square normalisation: every row to mean square 1, then scaled."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.normalisation import EPSILON, check_rows, inverse_deviation, normal_gradient, scale_gradients
from ipusim.ops.spec import Attrs, Expansion, F64Array, Saved, TensorType


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    return check_rows(inputs)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, scale = arrays
    squares = np.mean(x**2, axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt(squares + float(str(attrs["epsilon"]))) * scale)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> Saved:
    x, scale = inputs
    inverse = inverse_deviation(graph, x, x.name, (-1,), attrs)
    normal = graph.add("mul", x.name, inverse)
    graph.add("mul", normal, scale.name)
    return {"normal": normal, "inverse": inverse}


def _gradient(call: Backward) -> Gradients:
    scale = call.inputs[1]
    scaled = call.add("mul", call.upstream, scale.name)
    x = normal_gradient(call, scaled, (-1,), centre=False) if call.wanted[0] else None
    return x, scale_gradients(call, scale.shape)[0]


OP = composite(
    "rms_norm",
    "Root-mean-square normalisation of the last axis, with scale",
    ("x", "scale"),
    _infer,
    _reference,
    _expand,
    (EPSILON,),
    flops_per_element=4,
    gradient=_gradient,
)
