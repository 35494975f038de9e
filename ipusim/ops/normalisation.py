"""What the normalisations share: statistics of axes, and the check of their operands."""

from __future__ import annotations

from ipusim.ir.tensor import Tensor
from ipusim.ops.reduction import axis_of
from ipusim.ops.spec import Attrs, Expansion, Real, ShapeError, TensorType, common_dtype, shown

EPSILON = Real("epsilon", "Added to the variance, so that its root is never zero", 1e-5)


def check_rows(inputs: tuple[Tensor, ...]) -> TensorType:
    """Return the type of a normalised tensor whose further operands have one element per column.

    Raises
    ------
    ShapeError
        One of them has another shape or format.
    """
    return _check(inputs, inputs[0].shape[-1], "columns")


def check_channels(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    """Return the type of a normalised tensor whose further operands have one element per channel.

    Raises
    ------
    ShapeError
        One of them has another shape or format, or there is no such axis.
    """
    return _check(inputs, inputs[0].shape[axis_of(inputs[0], attrs)], "channels")


def _check(inputs: tuple[Tensor, ...], extent: int, what: str) -> TensorType:
    x = inputs[0]
    for position, tensor in enumerate(inputs[1:], start=1):
        if tensor.shape != (extent,):
            raise ShapeError(
                f"{shown(x)} has {extent} {what}, {shown(tensor)} does not",
                operand=position,
                hint=f"its shape must be [{extent}]",
            )
    return TensorType(x.shape, common_dtype(inputs))


def centred(graph: Expansion, x: str, axes: tuple[int, ...]) -> str:
    """Add the difference of a tensor to its mean over axes and return its name."""
    return graph.add("sub", x, graph.add("mean", x, axes=axes, keepdims=True))


def inverse_deviation(graph: Expansion, centred_name: str, axes: tuple[int, ...], attrs: Attrs) -> str:
    """Add one over the root of the mean square plus epsilon, and return its name."""
    variance = graph.add("mean_squares", centred_name, axes=axes, keepdims=True)
    return graph.add("rsqrt", graph.add("scale_shift", variance, scale=1.0, shift=attrs["epsilon"]))


def per_channel(graph: Expansion, x: Tensor, axis: int, values: str) -> str:
    """Add a view of one value per channel that broadcasts over a tensor, and return its name."""
    return graph.add("reshape", values, shape=(x.shape[axis], *(1,) * (len(x.shape) - axis - 1)))
