"""A part of a tensor along one axis."""

from __future__ import annotations

from ipusim.ir.tensor import Tensor
from ipusim.ops.movement import movement
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, F64Array, ShapeError, Whole, shown

TO_THE_END = 1 << 31


def _bounds(extent: int, attrs: Attrs) -> slice:
    start, stop, step = (int(str(attrs[name])) for name in ("start", "end", "step"))
    return slice(*slice(start, stop, step).indices(extent))


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    (x,) = inputs
    axis = axis_of(x, attrs)
    bounds = _bounds(x.shape[axis], attrs)
    left = len(range(bounds.start, bounds.stop, bounds.step))
    if left < 1:
        raise ShapeError(f"nothing of axis {axis} of {shown(x)} is left", attribute="end")
    return (*x.shape[:axis], left, *x.shape[axis + 1 :])


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,) = arrays
    axis = int(str(attrs["axis"])) % x.ndim
    index = (slice(None),) * axis
    return x[(*index, _bounds(x.shape[axis], attrs))]


OP = movement(
    "slice",
    "The elements from `start` to before `end` of an axis, every `step`-th of them",
    _shape,
    _move,
    (
        Whole("axis", "Axis that is cut", 0),
        Whole("start", "First element; counted from the end where negative", 0),
        Whole("end", "First element that is left out; counted from the end where negative", TO_THE_END),
        Whole("step", "Distance between elements", 1, least=1),
    ),
)
