"""Two tensors, one behind the other along an axis."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.movement import movement
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, F64Array, ShapeError, Whole, shown


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    a, b = inputs
    axis = axis_of(a, attrs)
    rest = [shape[:axis] + shape[axis + 1 :] for shape in (a.shape, b.shape)]
    if len(a.shape) != len(b.shape) or rest[0] != rest[1]:
        message = f"{shown(a)} and {shown(b)} differ in more than the extent of axis {axis}"
        raise ShapeError(message, operand=1)
    return (*a.shape[:axis], a.shape[axis] + b.shape[axis], *a.shape[axis + 1 :])


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return np.concatenate(arrays, axis=int(str(attrs["axis"])))


OP = movement(
    "concat",
    "Two tensors, one behind the other along an axis",
    _shape,
    _move,
    (Whole("axis", "Axis that becomes longer", 0),),
    inputs=("a", "b"),
)
