"""JSON Schema of a space file, for editors."""

from __future__ import annotations

from typing import Any

from ipusim.exploration.file import SpaceFile
from ipusim.exploration.metrics import ASCENDING, DESCENDING, METRICS
from ipusim.exploration.samplers.registry import find_sampler, sampler_names
from ipusim.files.schema import model_schema


def space_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of space files, with every sampler and objective."""
    schema = model_schema(SpaceFile)
    properties: dict[str, Any] = schema["properties"]
    names = sampler_names()
    properties["sampler"] |= {
        "enum": list(names),
        "description": "How points are chosen: " + "; ".join(f"{name}: {find_sampler(name).summary}" for name in names),
    }
    properties["objectives"]["items"] = {
        "type": "string",
        "pattern": f"^({'|'.join(METRICS)})(:({ASCENDING}|{DESCENDING}))?$",
    }
    schema["required"] = [name for name in schema["required"] if name != "name"]
    return schema
