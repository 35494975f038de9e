"""JSON Schema of the workload file, for editors."""

from __future__ import annotations

from typing import Any

from ipusim.files.schema import model_schema
from ipusim.frontends.model import Workload
from ipusim.ops.registry import find_op, op_names
from ipusim.ops.spec import OpSpec


def workload_file_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of workload files, with every operator and its attributes."""
    schema = model_schema(Workload)
    specs = [find_op(name) for name in op_names()]
    entry: dict[str, Any] = schema["$defs"]["OpEntry"]
    entry["properties"]["op"] = {
        "description": "Operator: " + "; ".join(f"{spec.name}: {spec.summary}" for spec in specs),
        "enum": [spec.name for spec in specs],
    }
    schema["properties"]["ops"]["minItems"] = 1
    schema["properties"]["tensors"]["additionalProperties"] = False
    common = entry["properties"]
    entry.pop("additionalProperties", None)
    entry["allOf"] = [_one_operator(spec, common) for spec in specs]
    return schema


def _one_operator(spec: OpSpec, common: dict[str, Any]) -> dict[str, Any]:
    """Return what holds for the entries of one operator: its attributes and the number of its operands."""
    attributes = {attribute.name: attribute.schema() for attribute in spec.attributes}
    operands = {
        "description": f"Operands: {', '.join(spec.inputs)}",
        "minItems": len(spec.inputs),
        "maxItems": len(spec.inputs),
    }
    return {
        "if": {"properties": {"op": {"const": spec.name}}, "required": ["op"]},
        "then": {
            "properties": {**dict.fromkeys(common, True), "inputs": operands, **attributes},
            "required": [attribute.name for attribute in spec.attributes if attribute.default is None],
            "additionalProperties": False,
        },
    }
