"""Root-mean-square normalisation: every row to mean square 1, then scaled."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.normalisation import EPSILON, check_rows, inverse_deviation
from ipusim.ops.spec import Attrs, Expansion, F64Array, TensorType


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    return check_rows(inputs)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    x, scale = arrays
    squares = np.mean(x**2, axis=-1, keepdims=True)
    return np.asarray(x / np.sqrt(squares + float(str(attrs["epsilon"]))) * scale)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    x, scale = inputs
    normal = graph.add("mul", x.name, inverse_deviation(graph, x, x.name, (-1,), attrs))
    graph.add("mul", normal, scale.name)


OP = composite(
    "rms_norm",
    "Root-mean-square normalisation of the last axis, with scale",
    ("x", "scale"),
    _infer,
    _reference,
    _expand,
    (EPSILON,),
    flops_per_element=4,
)
