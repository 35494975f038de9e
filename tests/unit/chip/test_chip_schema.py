"""The JSON Schema of chip files, against real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ipusim.chip.dump import chip_to_dict
from ipusim.chip.load import chip_names, load_chip
from ipusim.chip.schema import chip_file_schema
from ipusim.files.document import load_document
from ipusim.files.packaged import packaged_file

CORPUS = Path(__file__).parents[2] / "data" / "bad" / "chips"
SCHEMA = chip_file_schema()
KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "default", "unit", "type", "anyOf", "enum", "pattern", "items",
    "properties", "required", "additionalProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minItems", "minLength", "maxLength", "propertyNames",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "number": (int, float)
}  # fmt: skip


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Judge `value` by the keywords of JSON Schema that the chip schema uses."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return accepts(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], value)
    if "type" in schema and not has_type(schema["type"], value):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(accepts(option, value) for option in schema["anyOf"]):
        return False
    return accepts_parts(schema, value) and accepts_size(schema, value)


def has_type(name: str, value: Any) -> bool:
    if name == "integer":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def accepts_parts(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, list):
        return all(accepts(schema.get("items", {}), item) for item in value)
    if not isinstance(value, dict):
        return True
    if not set(schema.get("required", ())) <= set(value):
        return False
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, item in value.items():
        if key not in properties and others is False:
            return False
        if not accepts(properties.get(key, others if isinstance(others, dict) else {}), item):
            return False
    return True


def accepts_size(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = schema.get("minimum", value) <= value and schema.get("exclusiveMinimum", value - 1) < value
        return low and value <= schema.get("maximum", value) and value < schema.get("exclusiveMaximum", value + 1)
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) >= schema.get("minLength", 0)
    return not isinstance(value, list) or len(value) >= schema.get("minItems", 0)


@pytest.mark.parametrize("name", chip_names())
def test_packaged_chips_are_valid(name: str) -> None:
    assert accepts(SCHEMA, load_document(packaged_file("configs", name)).data)
    assert accepts(SCHEMA, chip_to_dict(load_chip(name)))


def test_bare_values_and_constants_are_valid() -> None:
    constant = {"value": "1.85 GHz", "source": "me", "confidence": "assumed", "note": ""}
    assert accepts(SCHEMA, {"extends": "bow", "n_tiles": 64, "tile_sram_bytes": "1 MiB", "clock_hz": constant})
    assert accepts(SCHEMA, {"extends": "bow", "energy_per_flop_j": {"float16": {"value": 1e-12, "source": "me"}}})


@pytest.mark.parametrize(
    "name",
    [
        "unknown-key",
        "extend-misspelt",
        "provenance-key",
        "hertz-for-bytes",
        "unit-spelling",
        "unit-missing",
        "tiles-out-of-range",
        "tiles-negative",
        "text-for-number",
        "true-for-number",
        "efficiency-above-one",
        "confidence-unknown",
        "constant-without-value",
        "constant-unknown-key",
        "constant-wrong-value",
        "extends-not-text",
        "amp-format-unknown",
        "amp-column-missing",
        "amp-empty",
        "amp-not-a-table",
        "amp-row-not-a-mapping",
        "amp-cell-constant-wrong",
        "constants-missing",
        "many-problems",
    ],
)
def test_wrong_chips_that_a_schema_can_tell_are_invalid(name: str) -> None:
    assert not accepts(SCHEMA, load_document(CORPUS / f"{name}.yaml").data)


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
