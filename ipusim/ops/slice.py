"""A part of a tensor: of one axis or of several, with steps, which may go backwards."""

from __future__ import annotations

from ipusim.files.wording import FieldError, describe
from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.movement import movement
from ipusim.ops.spec import Attrs, F64Array, ShapeError, shown

TO_THE_END = 1 << 31


class OneOrMore:
    """An attribute that is a whole number, or a list with one for each axis that is cut."""

    def __init__(self, name: str, text: str, default: int) -> None:
        self.name = name
        self.text = text
        self.default = default

    def read(self, value: object) -> object:
        """Return a whole number, or a tuple of them, if `value` is one; else raise FieldError."""
        many = value if isinstance(value, (list, tuple)) and value else (value,)
        if any(isinstance(each, bool) or not isinstance(each, int) for each in many):
            raise FieldError(f"expected a whole number or a list of them, found {describe(value)}")
        return tuple(many) if isinstance(value, (list, tuple)) else value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        one: dict[str, object] = {"type": "integer"}
        both = [one, {"type": "array", "items": one, "minItems": 1}]
        return {"oneOf": both, "default": self.default, "description": self.text}


def _given(attrs: Attrs, name: str, count: int) -> tuple[int, ...]:
    """Return a number for each axis; one alone is that of all of them."""
    value = attrs[name]
    found = value if isinstance(value, tuple) else (int(str(value)),) * count
    if len(found) != count:
        raise ShapeError(f"{name} has {len(found)} numbers, and axis has {count}", attribute=name)
    return found


def _bounds(shape: tuple[int, ...], attrs: Attrs) -> tuple[slice, ...]:
    """Return what is taken of every axis."""
    axes = attrs["axis"]
    axes = axes if isinstance(axes, tuple) else (int(str(axes)),)
    starts, ends, steps = (_given(attrs, name, len(axes)) for name in ("start", "end", "step"))
    taken = [slice(None)] * len(shape)
    seen = set()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if not -len(shape) <= axis < len(shape) or axis % len(shape) in seen:
            raise ShapeError(f"there is no axis {axis} of {list(shape)}, or it is cut twice", attribute="axis")
        if step == 0:
            raise ShapeError("a step of 0 leads nowhere", attribute="step")
        seen.add(axis % len(shape))
        taken[axis % len(shape)] = slice(start, None if step < 0 and end == TO_THE_END else end, step)
    return tuple(taken)


def _shape(inputs: tuple[Tensor, ...], attrs: Attrs) -> tuple[int, ...]:
    (x,) = inputs
    left = []
    for axis, (extent, taken) in enumerate(zip(x.shape, _bounds(x.shape, attrs), strict=True)):
        left.append(len(range(*taken.indices(extent))))
        if not left[-1]:
            raise ShapeError(f"nothing of axis {axis} of {shown(x)} is left", attribute="end")
    return tuple(left)


def _move(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,) = arrays
    return x[_bounds(x.shape, attrs)]


def _gradient(call: Backward) -> Gradients:
    """Zeros with the gradient where the elements were; steps become gaps of zeros."""
    (x,) = call.inputs
    name = call.upstream
    shape = list(call.output.shape)
    for axis, taken in enumerate(_bounds(x.shape, call.attrs)):
        places = range(*taken.indices(x.shape[axis]))
        if places == range(x.shape[axis]):
            continue
        if places.step < 0:
            name = call.add("slice", name, axis=axis, start=-1, step=-1)
            places = places[::-1]
        if places.step > 1:
            name = _with_gaps(call, name, tuple(shape), axis, places.step)
        shape[axis] = (len(places) - 1) * places.step + 1
        low, high = places.start, x.shape[axis] - places.start - shape[axis]
        ends = ((*(0,) * axis, end, *(0,) * (len(shape) - axis - 1)) for end in (low, high))
        name = call.add("pad", name, **dict(zip(("before", "after"), ends, strict=True)))
        shape[axis] = x.shape[axis]
    return (name,)


def _with_gaps(call: Backward, name: str, shape: tuple[int, ...], axis: int, step: int) -> str:
    """Add zeros between the elements of an axis, so that they are `step` apart, and return the name."""
    before, extent, after = shape[:axis], shape[axis], shape[axis + 1 :]
    apart = call.add("reshape", name, shape=(*before, extent, 1, *after))
    filled = call.add("pad", apart, after=(*(0,) * (axis + 1), step - 1, *(0,) * len(after)))
    joined = call.add("reshape", filled, shape=(*before, extent * step, *after))
    return call.add("slice", joined, axis=axis, end=(extent - 1) * step + 1)


OP = movement(
    "slice",
    "The elements from `start` to before `end` of an axis, every `step`-th of them; lists cut several axes",
    _shape,
    _move,
    (
        OneOrMore("axis", "Axis that is cut", 0),
        OneOrMore("start", "First element; counted from the end where negative", 0),
        OneOrMore("end", "First element that is left out; counted from the end where negative", TO_THE_END),
        OneOrMore("step", "Distance between elements; backwards from `start` where negative", 1),
    ),
    gradient=_gradient,
)
