"""What the keys of a space file's parameters lead to: constants of the chip and fields of the workloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from ipusim.chip.fields import constant_fields
from ipusim.chip.model import Chip
from ipusim.exploration.expressions import Value, no_names, parse_expression
from ipusim.exploration.parameters import Target
from ipusim.files.wording import FieldError, did_you_mean

STEPS = {
    "tile_sram_bytes": "sram_element_bytes",
    "interleaved_sram_bytes": "sram_element_bytes",
    "n_tiles": "tiles_per_exchange_bus",
}
"""Constants of a chip that have to be multiples of another."""


def find_target(key: str, labels: Sequence[str]) -> Target:
    """Return what a key leads to.

    ``chip`` is the chip itself; ``chip.n_tiles`` or ``n_tiles`` a constant of it; ``workload.seed`` a field of every
    workload, ``workload.NAME.seed`` of one of several.

    Raises
    ------
    FieldError
        When it leads nowhere.
    """
    parts = tuple(key.split("."))
    if parts == ("chip",):
        return Target("base")
    if parts[0] in ("workload", "workloads") and len(parts) > 1:
        if parts[1] in labels and len(parts) > 2:
            return Target("workload", parts[2:], parts[1])
        return Target("workload", parts[1:])
    field = parts[1:] if parts[0] == "chip" else parts
    if field[0] in constant_fields():
        return Target("chip", field)
    known = (*constant_fields(), *(f"chip.{name}" for name in constant_fields()), "workload")
    hint = did_you_mean(key if parts[0] == "chip" else parts[0], known)
    raise FieldError(f"{key!r} is neither a constant of the chip nor a field of a workload", hint or _FORMS)


_FORMS = "such as n_tiles, or workload.tensors.NAME.shape.0"


@cache
def _validator(constant: str) -> TypeAdapter[Any]:
    field = Chip.model_fields[constant]
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(annotation)


def read_constant(target: Target, value: Any) -> Any:
    """Return a value of a constant of the chip as the chip will hold it.

    Raises
    ------
    FieldError
        When the constant cannot have it. (Parts of tables are judged with the whole chip.)
    """
    if len(target.parts) > 1:
        return value
    try:
        return _validator(target.parts[0]).validate_python(value)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raised = detail.get("ctx", {}).get("error")
        if isinstance(raised, FieldError):
            raise FieldError(raised.message, raised.hint) from None
        from ipusim.files.plain import plain_message

        raise FieldError(*plain_message(detail)) from None


def is_whole(target: Target, present: Any) -> bool:
    """Return whether a field takes whole numbers only, from its present value."""
    return isinstance(present, int) and not isinstance(present, bool) and target.kind != "base"


def as_number(value: Any) -> Value:
    """Return a value as expressions see it: ``1/16`` and ``624 KiB`` are numbers, other texts are texts."""
    if not isinstance(value, str):
        return value if isinstance(value, (int, float, bool)) else str(value)
    try:
        parsed = parse_expression(value)
        return value if parsed.names else parsed.evaluate(no_names)
    except FieldError:
        return value


def value_at(data: Any, parts: Sequence[str]) -> Any:
    """Return the value at a path of a document; None where there is none."""
    for part in parts:
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, (list, tuple)) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data
