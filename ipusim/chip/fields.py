"""What the model says about its fields: units and descriptions."""

from __future__ import annotations

from functools import cache

from pydantic.fields import FieldInfo

from ipusim.chip.amp import AmpMode
from ipusim.chip.model import NAMING_FIELDS, Chip


@cache
def constant_fields() -> tuple[str, ...]:
    """Return the names of the hardware constants of a chip, in the order of the model."""
    return tuple(name for name in Chip.model_fields if name not in NAMING_FIELDS)


@cache
def field_units() -> dict[str, str]:
    """Return the unit of every constant; those of the AMP table as ``amp_modes.cycles_per_row``."""
    units = {name: _unit(Chip.model_fields[name]) for name in constant_fields()}
    return units | {f"amp_modes.{name}": _unit(field) for name, field in AmpMode.model_fields.items()}


def field_description(name: str) -> str:
    """Return one line about the constant `name`."""
    return Chip.model_fields[name].description or ""


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""
