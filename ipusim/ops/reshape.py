"""Another shape for the same elements in the same order; on the chip nothing happens."""

from __future__ import annotations

from math import prod

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import Attrs, F64Array, OpSpec, ShapeError, TensorType, Wholes, shown


def _shape(x: Tensor, attrs: Attrs) -> tuple[int, ...]:
    """Return the new shape, with the extent that is left open (-1)."""
    wanted = attrs["shape"]
    assert isinstance(wanted, tuple)
    if not wanted or any(extent < 1 and extent != -1 for extent in wanted) or wanted.count(-1) > 1:
        raise ShapeError(f"{list(wanted)} is no shape", attribute="shape", hint="one extent may be -1: what is left")
    known = prod(extent for extent in wanted if extent != -1)
    shape = tuple(x.n_elements // known if extent == -1 else extent for extent in wanted)
    if prod(shape) != x.n_elements:
        message = f"{shown(x)} has {x.n_elements} elements, {list(wanted)} has another number"
        raise ShapeError(message, attribute="shape")
    return shape


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    return TensorType(_shape(inputs[0], attrs), inputs[0].dtype)


def _flops(_inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], _attrs: Attrs, _n: tuple[int, ...]) -> int:
    """Zero: nothing is computed."""
    return 0


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    wanted = attrs["shape"]
    assert isinstance(wanted, tuple)
    return arrays[0].reshape(wanted)


def _gradient(call: Backward) -> Gradients:
    return (call.add("reshape", call.upstream, shape=call.inputs[0].shape),)


OP = OpSpec(
    name="reshape",
    summary="Another shape for the same elements in row-major order",
    inputs=("x",),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(Wholes("shape", "New extents; one may be -1, which is what is left"),),
    family="view",
    gradient=_gradient,
)
