"""Mean over all spatial dimensions, which stay with an extent of one."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.spec import Attrs, Expansion, F64Array, ShapeError, TensorType, computed_format, shown


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    (x,) = inputs
    if len(x.shape) < 3:
        raise ShapeError(f"global_avg_pool needs [batch, channels, ...], and {shown(x)} has no field", operand=0)
    return TensorType((*x.shape[:2], *(1,) * (len(x.shape) - 2)), computed_format(x.dtype))


def _reference(arrays: tuple[F64Array, ...], _attrs: Attrs) -> F64Array:
    (x,) = arrays
    return np.asarray(x.mean(axis=tuple(range(2, x.ndim)), keepdims=True))


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], _attrs: Attrs) -> None:
    (x,) = inputs
    graph.add("mean", x.name, axes=tuple(range(2, len(x.shape))), keepdims=True)


OP = composite(
    "global_avg_pool",
    "Mean over all spatial dimensions, channels first; they stay with an extent of 1",
    ("x",),
    _infer,
    _reference,
    _expand,
)
