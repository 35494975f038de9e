"""Two or more tensors, one behind the other along an axis."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.movement import movement
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, F64Array, ShapeError, Whole, shown


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    first = inputs[0]
    axis = axis_of(first, attrs)
    rest = (*first.shape[:axis], *first.shape[axis + 1 :])
    for position, tensor in enumerate(inputs):
        if len(tensor.shape) != len(first.shape) or (*tensor.shape[:axis], *tensor.shape[axis + 1 :]) != rest:
            message = f"{shown(first)} and {shown(tensor)} differ in more than the extent of axis {axis}"
            raise ShapeError(message, operand=position)
    return (*first.shape[:axis], sum(tensor.shape[axis] for tensor in inputs), *first.shape[axis + 1 :])


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return np.concatenate(arrays, axis=int(str(attrs["axis"])))


def _gradient(call: Backward) -> Gradients:
    """Each operand's part of the gradient."""
    axis = axis_of(call.output, call.attrs)
    found: list[str | None] = []
    start = 0
    for tensor, wanted in zip(call.inputs, call.wanted, strict=True):
        end = start + tensor.shape[axis]
        found.append(call.add("slice", call.upstream, axis=axis, start=start, end=end) if wanted else None)
        start = end
    return tuple(found)


OP = movement(
    "concat",
    "Two or more tensors, one behind the other along an axis",
    _shape,
    _move,
    (Whole("axis", "Axis that becomes longer", 0),),
    inputs=("a", "b"),
    variadic=True,
    gradient=_gradient,
)
