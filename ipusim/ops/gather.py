"""Rows of a table that a tensor of indices names (an embedding), or elements of any axis."""

from __future__ import annotations

from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, F64Array, OpSpec, ShapeError, TensorType, Whole, shown


def table_extents(table: Tensor, attrs: Attrs) -> tuple[int, int, int]:
    """Return the extents before, of and after the axis that is indexed."""
    axis = axis_of(table, attrs)
    return prod(table.shape[:axis]), table.shape[axis], prod(table.shape[axis + 1 :])


def check_indices(indices: Tensor, extent: int, position: int) -> None:
    """Raise ShapeError if declared indices may lie past the end of an axis."""
    if indices.init is None:
        return
    below = int(max(indices.init.values)) + 1 if indices.init.values else indices.init.below
    if below > extent:
        message = f"{indices.name} holds indices below {below}, and the axis has {extent} elements"
        raise ShapeError(message, operand=position)


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    table, indices = inputs
    axis = axis_of(table, attrs)
    check_indices(indices, table.shape[axis], 1)
    shape = (*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])
    if len(shape) > MAX_RANK:
        raise ShapeError(f"{shown(table)} at {shown(indices)} would have {len(shape)} dimensions", operand=1)
    return TensorType(shape, table.dtype)


MAX_RANK = 8
"""Most dimensions of a result."""


def _flops(_inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
    """Zero: elements are only copied."""
    return 0


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    """Return the elements; zeros where an index lies outside of the axis."""
    table, indices = arrays
    axis = int(str(attrs["axis"])) % table.ndim
    extent = table.shape[axis]
    whole = np.rint(indices).astype(np.int64)
    inside = (whole >= 0) & (whole < extent)
    taken = np.take(table, np.where(inside, whole, 0), axis=axis)
    inside = inside.reshape(inside.shape + (1,) * (table.ndim - axis - 1))
    return np.where(inside, taken, 0.0)


def _gradient(call: Backward) -> Gradients:
    """Zeros to which every element's gradient is added where it was taken from; indices have none."""
    table, indices = call.inputs
    zeros = call.graph.constant("zeros", table.shape, table.dtype)
    return call.add("scatter_add", zeros, call.upstream, indices.name, axis=call.attrs["axis"]), None


OP = OpSpec(
    name="gather",
    summary="Elements of an axis of a table that a tensor of indices names, such as the rows of an embedding",
    inputs=("table", "indices"),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    gradient=_gradient,
    attributes=(Whole("axis", "Axis of the table that is indexed", 0),),
    whole_inputs=(1,),
    exact=True,
)
