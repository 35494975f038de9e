"""One where the last axis has the index that a whole number names, zeros elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.gather import check_indices
from ipusim.ops.spec import FORMATS, Attrs, Choice, Expansion, F64Array, TensorType, Whole


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    (indices,), depth = inputs, int(str(attrs["depth"]))
    check_indices(indices, depth, 0)
    return TensorType((*indices.shape, depth), str(attrs["to"]))


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return np.asarray(arrays[0][..., None] == np.arange(int(str(attrs["depth"]))), dtype=np.float64)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Compare indices with all numbers, in float32, which holds them exactly."""
    (indices,), depth = inputs, int(str(attrs["depth"]))
    column = graph.add("reshape", graph.add("cast", indices.name, to="float32"), shape=(*indices.shape, 1))
    same = graph.add("equal", column, graph.constant("arange", (depth,), "float32"))
    if attrs["to"] != "float32":
        graph.add("cast", same, to=attrs["to"])


OP = composite(
    "one_hot",
    "1 at the index that a whole number names, along a new last axis, 0 elsewhere",
    ("indices",),
    _infer,
    _reference,
    _expand,
    (
        Whole("depth", "Extent of the new axis", None, 1, 2**24),
        Choice("to", "Number format of the result", FORMATS, "float16"),
    ),
    flops_per_element=1,
    whole_inputs=(0,),
)
