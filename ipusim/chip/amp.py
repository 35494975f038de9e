"""The matrix unit of a tile (AMP): one row of geometry per pair of number formats."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ipusim.files.units import Count, Number
from ipusim.files.wording import FieldError, did_you_mean

StorageFormat: TypeAlias = Literal["float8", "float16", "bfloat16", "float32"]
"""Number formats as the hardware tells them apart; ``float8`` is every 8-bit float."""

STORAGE_FORMATS: tuple[str, ...] = get_args(StorageFormat)
_ELEMENT_BYTES = {"float8": 1, "float16": 2, "bfloat16": 2, "float32": 4}


def _check_format_pair(key: str) -> str:
    for part in key.split("/", 1):
        if part not in STORAGE_FORMATS:
            hint = did_you_mean(part, STORAGE_FORMATS) or "write float16, or float16/float32 for inputs/partials"
            raise FieldError(f"unknown number format {part!r}", hint)
    return key


FormatPair: TypeAlias = Annotated[str, AfterValidator(_check_format_pair)]
"""A storage format, or two as ``inputs/partials``."""


class AmpMode(BaseModel):
    """What the AMP does in one pair of formats.

    For every output row, each of `units` convolution units multiplies `in_channels` inputs with as many weights and
    adds them up, in `cycles_per_row` cycles: ``2 * units * in_channels / cycles_per_row`` FLOPs per cycle and tile.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: StorageFormat = Field(description="number format of the operands")
    partials: StorageFormat = Field(description="number format of the accumulated results")
    units: Count = Field(ge=1, le=4096, description="convolution units that work at once")
    in_channels: Count = Field(ge=1, le=4096, description="products that one unit adds up")
    cycles_per_row: Count = Field(
        ge=1, le=4096, description="worker cycles of one output row", json_schema_extra={"unit": "cycles"}
    )
    worker_fill_slots: Number = Field(
        ge=0,
        le=1e6,
        description="worker instruction slots that one pass over the coefficients costs beside its rows",
        json_schema_extra={"unit": "slots"},
    )

    @property
    def flops_per_cycle(self) -> float:
        """Floating-point operations per cycle of one tile: a multiply and an add for each product."""
        return 2 * self.units * self.in_channels / self.cycles_per_row


def storage_format(name: str) -> str:
    """Return how the hardware sees the number format `name`: ``float8`` for ``float8_e4m3fnuz``, else `name`."""
    return "float8" if name.startswith("float8") else name


def element_bytes(name: str) -> int:
    """Return the size in bytes of an element of the number format `name`.

    Raises
    ------
    ValueError
        When no chip knows the format.
    """
    size = _ELEMENT_BYTES.get(storage_format(name))
    if size is None:
        raise ValueError(f"unknown number format {name!r}")
    return size
