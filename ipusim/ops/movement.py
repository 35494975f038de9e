"""Builds operators that only move elements."""

from __future__ import annotations

from collections.abc import Callable

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Gradient
from ipusim.ops.spec import Attribute, Attrs, F64Array, OpSpec, TensorType, common_dtype


def movement(
    name: str,
    summary: str,
    shape: Callable[[tuple[Tensor, ...], Attrs], tuple[int, ...]],
    function: Callable[[tuple[F64Array, ...], Attrs], F64Array],
    attributes: tuple[Attribute, ...],
    inputs: tuple[str, ...] = ("x",),
    family: str = "move",
    variadic: bool = False,
    gradient: Gradient | None = None,
) -> OpSpec:
    """Return an operator whose result has elements of its operands in other places.

    Parameters
    ----------
    shape : function (inputs, attrs) -> tuple of int
        Shape of the result. Raises :class:`~ipusim.ops.spec.ShapeError`.
    function : function (arrays, attrs) -> array
        The result, in the format of the operands.
    gradient : callable, optional
        As in :class:`~ipusim.ops.spec.OpSpec`.
    """

    def infer(operands: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
        return TensorType(shape(operands, attrs), common_dtype(operands))

    def flops(_inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
        return 0

    return OpSpec(
        name, summary, inputs, infer, flops, function, attributes, family=family, variadic=variadic, gradient=gradient
    )
