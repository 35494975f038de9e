"""Axes in another order."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.movement import movement
from ipusim.ops.spec import Attrs, F64Array, ShapeError, Wholes, shown


def _order(rank: int, attrs: Attrs) -> tuple[int, ...]:
    wanted = attrs["axes"]
    assert isinstance(wanted, tuple)
    return wanted or tuple(reversed(range(rank)))


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    (x,) = inputs
    order = _order(len(x.shape), attrs)
    if sorted(order) != list(range(len(x.shape))):
        hint = f"each of {list(range(len(x.shape)))} once"
        raise ShapeError(f"axes {list(order)} are no order of the axes of {shown(x)}", attribute="axes", hint=hint)
    return tuple(x.shape[axis] for axis in order)


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return np.ascontiguousarray(arrays[0].transpose(_order(arrays[0].ndim, attrs)))


def _gradient(call: Backward) -> Gradients:
    order = _order(len(call.inputs[0].shape), call.attrs)
    inverse = tuple(order.index(axis) for axis in range(len(order)))
    return (call.add("transpose", call.upstream, axes=inverse),)


OP = movement(
    "transpose",
    "Axes in another order, reversed by default",
    _shape,
    _move,
    (Wholes("axes", "Axis of the operand that each axis of the result is", ()),),
    gradient=_gradient,
)
