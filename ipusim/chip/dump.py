"""A chip as the content of a chip file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.fields import constant_fields
from ipusim.chip.model import Chip
from ipusim.chip.provenance import Provenance


def chip_to_dict(chip: Chip) -> dict[str, Any]:
    """Return a mapping from which ``load_chip`` makes the same chip, provenance included.

    Constants that the chip does not know are left out.
    """
    values = chip.model_dump(mode="json")
    constants = {name: values[name] for name in constant_fields() if values[name] is not None}
    naming = {"name": chip.name} | ({"description": chip.description} if chip.description else {})
    return naming | {name: _constant(value, name, chip.provenance) for name, value in constants.items()}


def _constant(value: Any, path: str, provenance: Mapping[str, Provenance]) -> Any:
    if isinstance(value, dict):
        value = {key: _constant(item, f"{path}.{key}", provenance) for key, item in value.items()}
    if isinstance(value, list):
        value = [_constant(item, f"{path}.{index}", provenance) for index, item in enumerate(value)]
    entry = provenance.get(path)
    if entry is None:
        return value
    note = {"note": entry.note} if entry.note else {}
    return {"value": value, "source": entry.source, "confidence": entry.confidence} | note
