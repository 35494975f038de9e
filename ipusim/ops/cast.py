"""Change of number format; the values stay, up to the rounding of the new format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ipusim.files.wording import FieldError, describe
from ipusim.formats.scale import AUTO, is_scale
from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
from ipusim.ops.spec import FORMATS, Attrs, Choice, F64Array, OpSpec, ShapeError, TensorType, is_quarter


@dataclass(frozen=True, slots=True)
class ScaleOf:
    """The scale of a tensor of 8 bits: a power of two, or ``auto`` for one that follows from the largest value."""

    name: str
    text: str
    default: object = 1.0

    def read(self, value: object) -> object:
        """Return `value` if it is a scale, else raise FieldError."""
        if value == AUTO:
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_scale(float(value)):
            hint = "such as 0.0625"
            raise FieldError(f"expected auto or a power of two from 2**-32 to 2**31, found {describe(value)}", hint)
        return float(value)

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of the value."""
        kinds: list[Mapping[str, object]] = [{"const": AUTO}, {"type": "number", "exclusiveMinimum": 0}]
        return {"anyOf": kinds, "default": self.default, "description": self.text}


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    target = str(attrs["to"])
    if attrs["scale"] != 1.0 and not is_quarter(target):
        raise ShapeError(f"{target} has no scale; formats of 8 bits have", attribute="scale")
    return TensorType(inputs[0].shape, target)


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


def _gradient(call: Backward) -> Gradients:
    return (call.add("cast", call.upstream, to=call.inputs[0].dtype),)


OP = OpSpec(
    name="cast",
    summary="Change of number format; whole numbers become floats",
    inputs=("x",),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(
        Choice("to", "Number format of the result", choices=FORMATS),
        ScaleOf("scale", "Of a result of 8 bits: what its stored numbers are multiples of; a power of two, or auto"),
    ),
    any_format=True,
    gradient=_gradient,
)
