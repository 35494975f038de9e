"""Builds operators that work element by element, under numpy's broadcasting rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients, elementwise_gradient
from ipusim.ops.spec import (
    Attribute,
    Attrs,
    F64Array,
    OpSpec,
    Real,
    ShapeError,
    TensorType,
    Whole,
    computed_dtype,
    shown,
)


def broadcast_shape(inputs: tuple[Tensor, ...]) -> tuple[int, ...]:
    """Return the shape that all operands broadcast to.

    Dimensions are compared from the last one backwards; an extent of 1, or a missing dimension, stretches.

    Raises
    ------
    ShapeError
        Two extents differ and neither is 1.
    """
    shape = inputs[0].shape
    for position, tensor in enumerate(inputs):
        if tensor.shape == shape:
            continue
        rank = max(len(shape), len(tensor.shape))
        have = (1,) * (rank - len(shape)) + shape
        other = (1,) * (rank - len(tensor.shape)) + tensor.shape
        if any(x != y and 1 not in (x, y) for x, y in zip(have, other, strict=True)):
            raise ShapeError(
                f"shapes do not broadcast: {' and '.join(shown(each) for each in inputs)}",
                operand=position,
                hint=_broadcast_hint(shape, tensor),
            )
        shape = tuple(y if x == 1 else x for x, y in zip(have, other, strict=True))
    return shape


def _broadcast_hint(shape: tuple[int, ...], tensor: Tensor) -> str:
    """Return how a vector with one element per row must be written; the rule in all other cases."""
    if len(shape) > 1 and tensor.shape == (shape[-2],):
        return f"one value per row is the column [{shape[-2]}, 1]"
    return "extents must be equal or 1, counted from the last dimension"


def elementwise(
    name: str,
    summary: str,
    inputs: tuple[str, ...],
    function: Callable[..., F64Array],
    flops_per_element: int = 1,
    vertex: Callable[[Attrs], str] | str = "",
    attributes: tuple[Attribute, ...] = (),
    gradient: Callable[[Backward], Gradients] | None = None,
) -> OpSpec:
    """Return an operator that applies `function` to every element of its broadcast operands.

    Parameters
    ----------
    function : callable
        Takes one float64 array per operand, and the attributes by name, and broadcasts like a numpy ufunc.
    flops_per_element : int
        Useful floating-point operations per element of the result.
    vertex : str or function of the attributes, optional
        Name of the function in the tables of vertices and kernels; by default `name`.
    attributes : tuple of Attribute
        The numbers among them are the constants of the function, in this order.
    gradient : callable, optional
        Returns the gradient of each operand at the size of the result; copies of a broadcast operand are summed here.
    """

    def infer(operands: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
        shape = broadcast_shape(operands)
        return TensorType(shape, computed_dtype(operands, shape))

    def flops(
        operands: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        _attrs: Attrs,
        nonzeros: tuple[int, ...],
    ) -> int:
        """Count per element of the result; of a sparse one, its non-zeros."""
        stored = [count for tensor, count in zip(operands, nonzeros, strict=True) if tensor.sparsity]
        return flops_per_element * (stored[0] if stored else outputs[0].n_elements)

    def reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
        given = {each.name: attrs[each.name] for each in attributes}
        return np.asarray(function(*arrays, **given), dtype=np.float64)

    constants = tuple(each.name for each in attributes if isinstance(each, (Real, Whole)))
    return OpSpec(
        name,
        summary,
        inputs,
        infer,
        flops,
        reference,
        attributes,
        family="map",
        function=vertex or name,
        constants=constants,
        gradient=elementwise_gradient(gradient) if gradient else None,
    )
