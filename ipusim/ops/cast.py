"""Change of number format; the values stay, up to the rounding of the new format."""

from __future__ import annotations

from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import FORMATS, Attrs, Choice, F64Array, OpSpec, TensorType


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    return TensorType(inputs[0].shape, str(attrs["to"]))


def _flops(
    _inputs: tuple[Tensor, ...],
    _outputs: tuple[Tensor, ...],
    _attrs: Attrs,
    _nonzeros: tuple[int, ...],
) -> int:
    """Zero: a change of format is no useful arithmetic."""
    return 0


def _reference(arrays: tuple[F64Array, ...], _attrs: Attrs) -> F64Array:
    """Identity: references carry no rounding of any format."""
    return arrays[0]


OP = OpSpec(
    name="cast",
    summary="Change of number format",
    inputs=("x",),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(Choice("to", "Number format of the result", choices=FORMATS),),
)
