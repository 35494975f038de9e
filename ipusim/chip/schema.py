"""JSON Schema of a chip file, for editors."""

from __future__ import annotations

from typing import Any

from ipusim.chip.fields import constant_fields
from ipusim.chip.model import Chip
from ipusim.chip.provenance import CONFIDENCES
from ipusim.files.schema import model_schema


def chip_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of chip files.

    Every constant is a bare value or ``{value, source, confidence, note}``, and so is every cell of a table. A file
    gives all required constants, or says which chip it ``extends``.
    """
    schema = model_schema(Chip)
    properties: dict[str, Any] = schema["properties"]
    for name in constant_fields():
        properties[name] = _constant(properties[name])
    for table in schema.get("$defs", {}).values():
        table["properties"] = {name: _constant(cell) for name, cell in table.get("properties", {}).items()}
    properties["extends"] = {"type": "string", "minLength": 1, "description": "packaged chip or path of a chip file"}
    required = [name for name in schema.pop("required") if name != "name"]
    return schema | {"title": "ipusim chip", "anyOf": [{"required": ["extends"]}, {"required": required}]}


def _constant(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a constant whose bare value has the schema `value`."""
    bare = _cells(value)
    described = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value"],
        "properties": {
            "value": bare,
            "source": {"type": "string"},
            "confidence": {"enum": list(CONFIDENCES)},
            "note": {"type": "string"},
        },
    }
    documentation = {key: bare.pop(key) for key in ("description", "default", "unit") if key in bare}
    return documentation | {"anyOf": [bare, described]}


def _cells(value: dict[str, Any]) -> dict[str, Any]:
    value = dict(value)
    cells = value.get("additionalProperties")
    if isinstance(cells, dict):
        value["additionalProperties"] = _constant(cells)
    return value
