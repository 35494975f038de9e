"""JSON Schema of the workload file, for editors."""

from __future__ import annotations

from typing import Any

from ipusim.files.schema import model_schema
from ipusim.frontends.entries import Entry, LayerEntry
from ipusim.frontends.model import Workload
from ipusim.frontends.models.registry import find_model, model_names
from ipusim.frontends.models.source import ModelSource
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
    schema["required"] = [key for key in schema["required"] if key not in ("tensors", "ops")]
    schema["oneOf"] = [{"required": ["tensors", "ops"]}, {"required": ["model"]}]
    schema["properties"]["model"] = _models(schema["$defs"])
    schema["properties"]["layers"] = {
        "description": "Settings of all weights and ops whose names match a pattern, such as layers.*.ffn",
        "type": "object",
        "additionalProperties": {"$ref": _defined(schema["$defs"], LayerEntry)},
    }
    return schema


def _models(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what may stand after ``model``: a word, or a mapping from the word to options."""
    sources = [find_model(name) for name in model_names()]
    words = [source.name for source in sources if not source.needs_options]
    mapping = {
        "type": "object",
        "properties": {source.name: _model_options(source, definitions) for source in sources},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"description": "A network instead of tensors and ops", "anyOf": [{"enum": words}, mapping]}


def _model_options(source: ModelSource, definitions: dict[str, Any]) -> dict[str, Any]:
    reference = {"$ref": _defined(definitions, source.options, f"{source.name} options")}
    if source.shorthand:
        return {"description": source.summary, "anyOf": [{"type": "string"}, reference]}
    return {"description": source.summary, **reference}


def _defined(definitions: dict[str, Any], model: type[Entry], name: str = "") -> str:
    """Add the schema of a model to the definitions and return the reference to it."""
    schema = model_schema(model)
    schema.pop("$schema")
    definitions.update(schema.pop("$defs", {}))
    key = (name or model.__name__).replace(" ", "-")
    definitions[key] = schema
    return f"#/$defs/{key}"


def _one_operator(spec: OpSpec, common: dict[str, Any]) -> dict[str, Any]:
    """Return what holds for the entries of one operator: its attributes and the number of its operands."""
    attributes = {attribute.name: attribute.schema() for attribute in spec.attributes}
    operands: dict[str, Any] = {
        "description": f"Operands: {', '.join(spec.inputs)}",
        "minItems": len(spec.inputs),
    }
    if not spec.variadic:
        operands["maxItems"] = len(spec.inputs)
    return {
        "if": {"properties": {"op": {"const": spec.name}}, "required": ["op"]},
        "then": {
            "properties": {**dict.fromkeys(common, True), "inputs": operands, **attributes},
            "required": [attribute.name for attribute in spec.attributes if attribute.default is None],
            "additionalProperties": False,
        },
    }
