"""Windows that slide over the spatial dimensions of a tensor: their attributes, extents and elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ipusim.files.wording import FieldError, describe
from ipusim.ops.spec import Attrs, F64Array, ShapeError

LARGEST = 1 << 20
"""Largest stride, dilation, padding or kernel: sizes beyond are mistakes."""


@dataclass(frozen=True, slots=True)
class Extents:
    """An attribute that is one whole number for all spatial dimensions, or a list with one for each.

    Attributes
    ----------
    name, text : str
    least : int
        Smallest number allowed.
    default : int or None
        None where the attribute is required.
    """

    name: str
    text: str
    least: int = 1
    default: int | None = 1

    def read(self, value: object) -> object:
        """Return a whole number, or a tuple of them, if `value` is one; else raise FieldError."""
        if isinstance(value, (list, tuple)) and value:
            return tuple(self._one(each) for each in value)
        return self._one(value)

    def _one(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldError(f"expected a whole number or a list of them, found {describe(value)}")
        if not self.least <= value <= LARGEST:
            raise FieldError(f"expected whole numbers from {self.least} to {LARGEST}, found {value}")
        return value

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        one: dict[str, object] = {"type": "integer", "minimum": self.least, "maximum": LARGEST}
        many = {"type": "array", "items": one, "minItems": 1}
        schema: dict[str, object] = {"oneOf": [one, many], "description": self.text}
        return schema if self.default is None else schema | {"default": self.default}


STRIDE = Extents("stride", "Distance between windows")
DILATION = Extents("dilation", "Distance between the elements of a window")
PADDING = Extents(
    "padding",
    "Zeros around the input: for all sides, for each dimension, or first all beginnings and then all ends",
    least=0,
    default=0,
)


@dataclass(frozen=True, slots=True)
class Window:
    """A window and how it slides, one number for each spatial dimension.

    Attributes
    ----------
    kernel, stride, dilation : tuple of int
    before, after : tuple of int
        Padding at the beginning and at the end.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def reach(self, axis: int) -> int:
        """Return the elements between the first and the last of a window along `axis`, both included."""
        return (self.kernel[axis] - 1) * self.dilation[axis] + 1

    def positions(self, axis: int, extent: int) -> int:
        """Return the number of windows along `axis` over so many elements; below 1 if there is none."""
        padded = extent + self.before[axis] + self.after[axis]
        return (padded - self.reach(axis)) // self.stride[axis] + 1


def per_dimension(attrs: Attrs, name: str, rank: int) -> tuple[int, ...]:
    """Return an attribute as one number for each of `rank` spatial dimensions.

    Raises
    ------
    ShapeError
        The list has another length.
    """
    value = attrs[name]
    if isinstance(value, int):
        return (value,) * rank
    assert isinstance(value, tuple)
    if len(value) != rank:
        raise ShapeError(f"{name} has {len(value)} numbers, expected 1 or {rank}", attribute=name)
    return value


def sides(attrs: Attrs, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the padding before and after, one number for each of `rank` spatial dimensions.

    Raises
    ------
    ShapeError
        The list has another length than `rank` or twice that.
    """
    value = attrs["padding"]
    if isinstance(value, tuple) and len(value) == 2 * rank:
        return value[:rank], value[rank:]
    if isinstance(value, tuple) and len(value) != rank:
        raise ShapeError(
            f"padding has {len(value)} numbers, expected {join_counts(rank)}",
            attribute="padding",
        )
    one = per_dimension(attrs, "padding", rank)
    return one, one


def join_counts(rank: int) -> str:
    """Return how many numbers a padding of `rank` dimensions may have, as words."""
    return "1 or 2" if rank == 1 else f"1, {rank} or {2 * rank}"


def window_of(attrs: Attrs, kernel: tuple[int, ...]) -> Window:
    """Return the window of an op with these attributes."""
    rank = len(kernel)
    before, after = sides(attrs, rank)
    return Window(kernel, per_dimension(attrs, "stride", rank), per_dimension(attrs, "dilation", rank), before, after)


def slid_extents(window: Window, extents: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Return the spatial extents of the result.

    Raises
    ------
    ShapeError
        No window fits into the padded input; `name` says what the window is called.
    """
    found = tuple(window.positions(axis, extent) for axis, extent in enumerate(extents))
    for axis, count in enumerate(found):
        if count < 1:
            padded = extents[axis] + window.before[axis] + window.after[axis]
            raise ShapeError(
                f"{name} reaches over {window.reach(axis)} elements, the padded input has {padded}",
                operand=0,
                hint="more padding, or a smaller kernel or dilation",
            )
    return found


def padded_input(x: F64Array, window: Window, value: float = 0.0) -> F64Array:
    """Return `x` with `value` around its last dimensions."""
    leading = x.ndim - len(window.kernel)
    widths = [(0, 0)] * leading + list(zip(window.before, window.after, strict=True))
    return np.pad(x, widths, constant_values=value)


def window_element(padded: F64Array, window: Window, place: tuple[int, ...], extents: tuple[int, ...]) -> F64Array:
    """Return element `place` of all windows: a view of the padded input with spatial extents `extents`."""
    cut: list[Any] = [
        slice(at * dilation, at * dilation + (count - 1) * stride + 1, stride)
        for at, dilation, stride, count in zip(place, window.dilation, window.stride, extents, strict=True)
    ]
    return padded[(..., *cut)]
