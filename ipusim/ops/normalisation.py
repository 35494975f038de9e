"""What the normalisations share: statistics of axes, and the check of their operands."""

from __future__ import annotations

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, summed_to
from ipusim.ops.inverse_deviation import EPSILON
from ipusim.ops.reduction import OPERAND, axis_of
from ipusim.ops.spec import Attrs, Expansion, ShapeError, TensorType, shared_dtype, shown

__all__ = [
    "EPSILON",
    "centred",
    "check_channels",
    "check_rows",
    "inverse_deviation",
    "normal_gradient",
    "per_channel",
    "scale_gradients",
]


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
    return TensorType(x.shape, shared_dtype(inputs))


def centred(graph: Expansion, x: Tensor, axes: tuple[int, ...]) -> str:
    """Add the difference of a tensor to its mean over axes and return its name."""
    mean = graph.add("mean", x.name, axes=axes, keepdims=True, dtype=_statistics(x, axes))
    return graph.add("sub", x.name, mean)


def inverse_deviation(graph: Expansion, x: Tensor, deviation: str, axes: tuple[int, ...], attrs: Attrs) -> str:
    """Add one over the root of the mean square plus epsilon of a deviation of `x`, and return its name."""
    wide = _statistics(x, axes)
    return graph.add("inverse_deviation", deviation, axes=axes, keepdims=True, dtype=wide, epsilon=attrs["epsilon"])


def _statistics(x: Tensor, axes: tuple[int, ...]) -> str:
    """Return the format of statistics: float32, so that squares do not overflow, unless nothing is reduced."""
    return "float32" if any(x.shape[axis] > 1 for axis in axes) else OPERAND


def per_channel(graph: Expansion, x: Tensor, axis: int, values: str) -> str:
    """Add a view of one value per channel that broadcasts over a tensor, and return its name."""
    return graph.add("reshape", values, shape=(x.shape[axis], *(1,) * (len(x.shape) - axis - 1)))


def normal_gradient(call: Backward, scaled: str, axes: tuple[int, ...], centre: bool) -> str:
    """Return the gradient of the operand of a normalisation.

    Parameters
    ----------
    call : Backward
        Saved are ``normal`` (the normalised operand) and ``inverse`` (one over its deviation).
    scaled : str
        Gradient of the normalised operand: ``g``.
    axes : tuple of int
        Over which it was normalised.
    centre : bool
        Whether the mean was subtracted.

    Notes
    -----
    ``(g - mean(g) - n mean(g n)) / deviation``, with ``n`` for the normalised operand; without the first mean where it
    was not centred. Means are formed in the format of statistics, as on the way forward.
    """
    (x, *_), normal = call.inputs, call.saved["normal"]
    wide = _statistics(x, axes)

    def mean(name: str) -> str:
        return call.add("mean", name, axes=axes, keepdims=True, dtype=wide)

    along = call.add("mul", normal, mean(call.add("mul", scaled, normal)))
    rest = call.add("sub", scaled, along)
    if centre:
        rest = call.add("sub", rest, mean(scaled))
    return call.add("mul", rest, call.saved["inverse"])


def scale_gradients(call: Backward, viewed: tuple[int, ...]) -> tuple[str | None, str | None]:
    """Return the gradients of scale and shift, which broadcast in the shape `viewed`; None for one nobody wants."""
    (x, *parameters), upstream = call.inputs, call.upstream
    found: list[str | None] = []
    for position, tensor in enumerate(parameters, start=1):
        if not call.wanted[position]:
            found.append(None)
            continue
        each = call.add("mul", upstream, call.saved["normal"]) if position == 1 else upstream
        total = summed_to(call, each, x.shape, viewed)
        found.append(total if viewed == tensor.shape else call.add("reshape", total, shape=tensor.shape))
    return found[0], found[1] if len(found) > 1 else None
