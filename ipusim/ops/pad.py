"""A tensor with a border of one value."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.movement import movement
from ipusim.ops.spec import Attrs, F64Array, Real, ShapeError, Wholes, shown


def _widths(rank: int, attrs: Attrs) -> list[tuple[int, int]]:
    before, after = attrs["before"], attrs["after"]
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    return list(zip(before or (0,) * rank, after or (0,) * rank, strict=True))


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    (x,) = inputs
    for name in ("before", "after"):
        widths = attrs[name]
        assert isinstance(widths, tuple)
        if (widths and len(widths) != len(x.shape)) or any(width < 0 for width in widths):
            hint = f"{len(x.shape)} numbers of at least 0"
            raise ShapeError(f"{list(widths)} does not say the border of {shown(x)}", attribute=name, hint=hint)
    widths = _widths(len(x.shape), attrs)
    return tuple(extent + low + high for extent, (low, high) in zip(x.shape, widths, strict=True))


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,) = arrays
    return np.pad(x, _widths(x.ndim, attrs), constant_values=float(str(attrs["value"])))


def _gradient(call: Backward) -> Gradients:
    """The part of the gradient inside the border."""
    (x,) = call.inputs
    name = call.upstream
    for axis, (low, high) in enumerate(_widths(len(x.shape), call.attrs)):
        if low or high:
            name = call.add("slice", name, axis=axis, start=low, end=low + x.shape[axis])
    return (name,)


OP = movement(
    "pad",
    "A tensor with a border of one value",
    _shape,
    _move,
    (
        Wholes("before", "Elements added before each axis; none by default", ()),
        Wholes("after", "Elements added behind each axis; none by default", ()),
        Real("value", "Value of the border", 0.0),
    ),
    gradient=_gradient,
)
