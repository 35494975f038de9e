"""A tensor repeated to a larger shape, under numpy's rule."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients, summed_to
from ipusim.ops.movement import movement
from ipusim.ops.spec import Attrs, F64Array, ShapeError, Wholes, shown


def _wanted(attrs: Attrs) -> tuple[int, ...]:
    shape = attrs["shape"]
    assert isinstance(shape, tuple)
    return shape


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    (x,), shape = inputs, _wanted(attrs)
    have = (1,) * (len(shape) - len(x.shape)) + x.shape
    fits = len(have) == len(shape) and all(old in (1, new) for old, new in zip(have, shape, strict=True))
    if not fits or min(shape, default=0) < 1:
        hint = "extents must be equal or 1, counted from the last dimension"
        raise ShapeError(f"{shown(x)} does not broadcast to {list(shape)}", attribute="shape", hint=hint)
    return shape


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    return np.broadcast_to(arrays[0], _wanted(attrs))


def _gradient(call: Backward) -> Gradients:
    return (summed_to(call, call.upstream, call.output.shape, call.inputs[0].shape),)


OP = movement(
    "broadcast_to",
    "A tensor repeated to a larger shape; most operators broadcast by themselves",
    _shape,
    _move,
    (Wholes("shape", "Extents of the result"),),
    gradient=_gradient,
)
