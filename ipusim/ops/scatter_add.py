"""Rows added to those of a table that a tensor of indices names: the gradient of a gather."""

from __future__ import annotations

from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gather import check_indices
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, F64Array, OpSpec, ShapeError, TensorType, Whole, shared_dtype, shown


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    table, updates, indices = inputs
    axis = axis_of(table, attrs)
    check_indices(indices, table.shape[axis], 2)
    dtype = shared_dtype((table, updates))
    shape = (*table.shape[:axis], *indices.shape, *table.shape[axis + 1 :])
    if updates.shape != shape:
        message = f"{shown(updates)} is not what {shown(indices)} names of axis {axis} of {shown(table)}"
        raise ShapeError(message, operand=1, hint=f"its shape must be {list(shape)}")
    return TensorType(table.shape, dtype)


def _flops(inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
    """One addition for each element of the updates."""
    return inputs[1].n_elements


def table_view(table: F64Array, axis: int) -> F64Array:
    """Return a copy of a table as a box whose middle axis is indexed."""
    return table.reshape(prod(table.shape[:axis]), table.shape[axis], -1).copy()


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    table, updates, indices = arrays
    result = table_view(table, int(str(attrs["axis"])) % table.ndim)
    whole = np.rint(indices).astype(np.int64).reshape(-1)
    inside = (whole >= 0) & (whole < result.shape[1])
    added = updates.reshape(result.shape[0], len(whole), result.shape[2])
    for place in np.flatnonzero(inside):
        result[:, whole[place]] += added[:, place]
    return result.reshape(table.shape)


def _gradient(call: Backward) -> Gradients:
    """The gradient for the table, and what indices name of it for the updates; indices have none."""
    indices = call.inputs[2].name
    updates = call.add("gather", call.upstream, indices, axis=call.attrs["axis"]) if call.wanted[1] else None
    return call.upstream, updates, None


OP = OpSpec(
    name="scatter_add",
    summary="A table with rows added where a tensor of indices says; those of an index that comes twice add up",
    inputs=("table", "updates", "indices"),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(Whole("axis", "Axis of the table that is indexed", 0),),
    whole_inputs=(2,),
    gradient=_gradient,
)
