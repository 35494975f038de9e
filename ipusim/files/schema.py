"""JSON Schema of a Pydantic model, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""Pydantic leaves its own names of bounds where a bound follows a validator."""


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the mappings that `model` accepts."""
    schema = _clean(model.model_json_schema(mode="validation"))
    return {"$schema": _DIALECT, **schema}


def _clean(node: Any) -> Any:
    if isinstance(node, list):
        return [_clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    cleaned = {_BOUNDS.get(key, key): value for key, value in node.items()}
    if isinstance(cleaned.get("title"), str):
        del cleaned["title"]
    properties = cleaned.pop("properties", None)
    result = {key: _clean(value) for key, value in cleaned.items()}
    if properties is not None:
        result["properties"] = {name: _clean(value) for name, value in properties.items()}
    return result
