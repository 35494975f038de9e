"""Builds operators that reduce some axes of a tensor to one value."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradient, Gradients
from ipusim.ops.registry import find_op
from ipusim.ops.spec import (
    Attribute,
    Attrs,
    Choice,
    F64Array,
    Flag,
    OpSpec,
    ShapeError,
    TensorType,
    Wholes,
    computed_format,
    shown,
)

OPERAND = "operand"
"""The number format of the operand."""


def reduced_axes(shape: tuple[int, ...], attrs: Attrs) -> tuple[int, ...]:
    """Return the axes that an op reduces, ascending; all of them where it names none.

    Raises
    ------
    ShapeError
        An axis is not there, or is named twice.
    """
    axes = attrs["axes"]
    assert isinstance(axes, tuple)
    rank = len(shape)
    found = tuple(sorted(axis + rank if axis < 0 else axis for axis in axes))
    if any(not 0 <= axis < rank for axis in found):
        raise ShapeError(f"axes {list(axes)} are not all axes of {list(shape)}", attribute="axes")
    if len(set(found)) < len(found):
        raise ShapeError(f"axes {list(axes)} name an axis twice", attribute="axes")
    return found or tuple(range(rank))


def spread(call: Backward, gradient: str) -> str:
    """Return the gradient of a reduction, repeated over the axes that it reduced: of the operand's shape."""
    (x,) = call.inputs
    axes = reduced_axes(x.shape, call.attrs)
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if kept != call.output.shape:
        gradient = call.add("reshape", gradient, shape=kept)
    if call.output.dtype != x.dtype:
        gradient = call.add("cast", gradient, to=x.dtype)
    return call.add("broadcast_to", gradient, shape=x.shape)


def reduced_count(call: Backward) -> int:
    """Return how many elements of the operand one result of a reduction consists of."""
    (x,) = call.inputs
    return prod(x.shape[axis] for axis in reduced_axes(x.shape, call.attrs))


def of_extremes(call: Backward) -> Gradients:
    """Return the gradient of a largest or smallest element; equal ones have equal shares of it."""
    (x,) = call.inputs
    axes = reduced_axes(x.shape, call.attrs)
    found = call.add("equal", x.name, spread(call, call.output.name))
    count = call.add("sum", found, axes=axes, keepdims=True)
    return (call.add("mul", found, call.add("div", spread(call, call.upstream), count)),)


def axis_of(tensor: Tensor, attrs: Attrs, name: str = "axis") -> int:
    """Return the axis that an attribute names, counted from the first.

    Raises
    ------
    ShapeError
        The tensor has no such axis.
    """
    axis = int(str(attrs[name]))
    rank = len(tensor.shape)
    if not -rank <= axis < rank:
        raise ShapeError(f"{shown(tensor)} has no axis {axis}", attribute=name)
    return axis % rank


def reduction(
    name: str,
    summary: str,
    function: Callable[..., F64Array],
    vertex: str,
    flops_per_element: int = 1,
    averages: bool = False,
    attributes: tuple[Attribute, ...] = (),
    finish: Callable[[Attrs], tuple[tuple[str, Attrs], ...]] | None = None,
    gradient: Gradient | None = None,
) -> OpSpec:
    """Return an operator that reduces axes of a tensor.

    Parameters
    ----------
    function : callable
        Takes a float64 array, ``axis`` and ``keepdims``, like a numpy reduction: what is formed before `finish`.
    vertex : str
        Operator in the tables of the vertices: ``add``, ``square_add``, ``max`` or ``min``.
    flops_per_element : int
        Useful floating-point operations per element of the operand.
    averages : bool
        The sums are divided by the number of elements.
    attributes : tuple of Attribute
        Further ones.
    finish : callable, optional
        Maps that every result passes before it is rounded: see :class:`~ipusim.ops.spec.OpSpec`.
    gradient : callable, optional
        As in :class:`~ipusim.ops.spec.OpSpec`.
    """

    def infer(operands: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        (x,) = operands
        axes = reduced_axes(x.shape, attrs)
        kept = tuple(
            1 if axis in axes else extent
            for axis, extent in enumerate(x.shape)
            if attrs["keepdims"] or axis not in axes
        )
        return TensorType(kept or (1,), computed_format(x.dtype) if attrs["dtype"] == OPERAND else str(attrs["dtype"]))

    def flops(operands: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
        return flops_per_element * prod(operands[0].shape)

    def reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
        (x,) = arrays
        result = np.asarray(function(x, axis=reduced_axes(x.shape, attrs), keepdims=bool(attrs["keepdims"])))
        return finished(result.reshape(result.shape or (1,)).astype(np.float64), finish(attrs) if finish else ())

    return OpSpec(
        name,
        summary,
        ("x",),
        infer,
        flops,
        reference,
        (
            Wholes("axes", "Axes that are reduced, counted from the end where negative; all by default", ()),
            Flag("keepdims", "Keep the reduced axes, with extent 1"),
            Choice("dtype", "Number format of the result", choices=(OPERAND, "float32"), default=OPERAND),
            *attributes,
        ),
        family="reduce",
        function=vertex,
        averages=averages,
        finish=finish,
        gradient=gradient,
    )


def finished(x: F64Array, maps: tuple[tuple[str, Attrs], ...]) -> F64Array:
    """Return an array after maps, one after the other."""
    for name, attrs in maps:
        x = find_op(name).reference((x,), attrs)
    return x
