"""The JSON Schema of workload files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ipusim.frontends.schema import workload_file_schema
from ipusim.ops.registry import find_op, op_names


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for item in node:
            yield from properties(item, path)
    if isinstance(node, dict):
        for name, value in node.get("properties", {}).items():
            if isinstance(value, dict) and "const" not in value:
                yield f"{path}.{name}", value
        for key, value in node.items():
            yield from properties(value, f"{path}.{key}")


def test_is_json() -> None:
    schema = workload_file_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_every_field_is_described() -> None:
    fields = dict(properties(workload_file_schema()))
    assert len(fields) > 40
    assert [path for path, value in fields.items() if not value.get("description")] == []


def test_every_reference_leads_somewhere() -> None:
    schema = workload_file_schema()
    references = {part.split('"')[0] for part in json.dumps(schema).split('"$ref": "#/$defs/')[1:]}
    assert references
    assert references <= schema["$defs"].keys()


def test_unknown_keys_are_refused_everywhere() -> None:
    schema = workload_file_schema()
    assert schema["additionalProperties"] is False
    entries = {name: each for name, each in schema["$defs"].items() if name != "OpEntry" and "properties" in each}
    assert all(each["additionalProperties"] is False for each in entries.values())


def test_every_operator_has_its_attributes() -> None:
    entry = workload_file_schema()["$defs"]["OpEntry"]
    assert entry["properties"]["op"]["enum"] == list(op_names())
    branches = {branch["if"]["properties"]["op"]["const"]: branch["then"] for branch in entry["allOf"]}
    assert branches.keys() == set(op_names())
    for name, branch in branches.items():
        spec = find_op(name)
        assert branch["additionalProperties"] is False
        assert set(branch["properties"]) == {"op", "inputs", "output", "name"} | {each.name for each in spec.attributes}
        assert branch["properties"]["inputs"]["minItems"] == len(spec.inputs)
    assert branches["cast"]["required"] == ["to"]
    assert branches["matmul"]["properties"]["partials"]["default"] == "float32"


def test_a_kind_is_a_word_or_a_mapping() -> None:
    word, mapping = workload_file_schema()["$defs"]["InitEntry"]["anyOf"]
    assert word["enum"] == ["normal", "uniform", "zeros", "ones"]
    assert (mapping["minProperties"], mapping["maxProperties"]) == (1, 1)
