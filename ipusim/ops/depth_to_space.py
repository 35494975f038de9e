"""Channels become pixels: every element's channels make a square of the field."""

from __future__ import annotations

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.spec import Attrs, Choice, Expansion, F64Array, ShapeError, TensorType, Whole, shown


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    (x,), size = inputs, int(str(attrs["block"]))
    if len(x.shape) != 4 or x.shape[1] % (size * size):
        message = f"{shown(x)} is not [batch, channels, height, width] with channels for squares of {size} x {size}"
        raise ShapeError(message, attribute="block")
    batch, channels, height, width = x.shape
    return TensorType((batch, channels // (size * size), height * size, width * size), x.dtype)


def _steps(shape: tuple[int, ...], attrs: Attrs) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape in which the square is two axes of its own, and the order of the axes of the result."""
    batch, channels, height, width = shape
    size = int(str(attrs["block"]))
    rest = channels // (size * size)
    if attrs["order"] == "depth_first":
        return (batch, size, size, rest, height, width), (0, 3, 4, 1, 5, 2)
    return (batch, rest, size, size, height, width), (0, 1, 4, 2, 5, 3)


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    (x,), size = arrays, int(str(attrs["block"]))
    split, order = _steps(x.shape, attrs)
    return x.reshape(split).transpose(order).reshape(x.shape[0], -1, x.shape[2] * size, x.shape[3] * size)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    (x,) = inputs
    split, order = _steps(x.shape, attrs)
    turned = graph.add("transpose", graph.add("reshape", x.name, shape=split), axes=order)
    graph.add("reshape", turned, shape=_infer(inputs, attrs).shape)


OP = composite(
    "depth_to_space",
    "Channels become pixels: those of an element make a square of the field",
    ("x",),
    _infer,
    _reference,
    _expand,
    (
        Whole("block", "Edge of the square", None, 1),
        Choice("order", "Which channels make a square", ("depth_first", "channels_first"), "depth_first"),
    ),
    flops_per_element=0,
)
