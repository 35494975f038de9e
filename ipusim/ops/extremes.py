"""Builds operators that tell where the largest, or smallest, element of a row is."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Expansion, F64Array, Flag, OpSpec, TensorType, Whole


def extreme_index(name: str, smallest: bool) -> OpSpec:
    """Return the operator that gives the index of the largest, or smallest, element along an axis."""

    def infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        (x,), axis = inputs, axis_of(inputs[0], attrs)
        kept = (1,) if attrs["keepdims"] else ()
        return TensorType((*x.shape[:axis], *kept, *x.shape[axis + 1 :]) or (1,), "int32")

    def reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
        (x,), axis = arrays, int(str(attrs["axis"]))
        found = (np.argmin if smallest else np.argmax)(x, axis=axis, keepdims=bool(attrs["keepdims"]))
        return np.asarray(found, dtype=np.float64).reshape(np.shape(found) or (1,))

    def expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
        (x,) = inputs
        found = graph.add("top_k", x.name, k=1, axis=attrs["axis"], smallest=smallest, result="indices")
        graph.add("reshape", found, shape=infer(inputs, attrs).shape)

    return composite(
        name,
        f"Index of the {'smallest' if smallest else 'largest'} element along an axis, the first of equal ones",
        ("x",),
        infer,
        reference,
        expand,
        (
            Whole("axis", "Axis along which elements are compared", -1),
            Flag("keepdims", "Keep the axis, with extent 1"),
        ),
    )
