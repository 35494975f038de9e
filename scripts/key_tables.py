#!/usr/bin/env python3
"""docs/keys.md: every key of chip, workload and space files, from the schemas that check them.

Usage: .venv/bin/python scripts/key_tables.py [--write]

Prints the page; with --write it replaces the one in docs/. A test fails when the two differ.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ipusim.chip.schema import chip_file_schema
from ipusim.exploration.schema import space_file_schema
from ipusim.files.atomic import write_atomic
from ipusim.frontends.schema import workload_file_schema
from ipusim.ops.registry import find_op

PAGE = Path(__file__).parents[1] / "docs" / "keys.md"
HEADER = """\
# Keys of chip, workload and space files

Made by `scripts/key_tables.py` from the schemas (`ipusim schema KIND`), which also check the files. What the keys mean
together, with examples, is in [files.md](files.md). Keys without a default are absent by default, or *required*.
"""
NAMED = {
    "object": "mapping",
    "array": "list",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
}
PROVENANCE = {"value", "source", "confidence", "note"}

Schema = Mapping[str, Any]


def page() -> str:
    """Return the whole page."""
    workload, chip, space = workload_file_schema(), chip_file_schema(), space_file_schema()
    parts = [HEADER, "## Workload\n", *sections(workload, "", "workload file", 3, leave=("model", "ops"))]
    parts += ["### `ops`: one operator each\n", *operators(workload["$defs"]["OpEntry"])]
    parts += ["### `model`: a network\n", *models(workload)]
    parts += ["## Chip\n", *chip_tables(chip), "## Space\n", *sections(space, "", "space file", 3)]
    return "\n".join(parts)


def sections(root: Schema, path: str, title: str, level: int, leave: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a heading and a table for `root`, then those of all that its keys hold."""
    yield from _sections(root, root.get("$defs", {}), path, title, level, leave, {})


def _sections(
    node: Schema,
    defs: Schema,
    path: str,
    title: str,
    level: int,
    leave: tuple[str, ...],
    places: dict[int, str],
) -> Iterator[str]:
    """Yield as `sections`; `places` says where a mapping is described that stands in several."""
    yield f"{'#' * level} {f'`{path}`' if path else title.capitalize()}\n"
    yield from table(node, defs)
    for key, value in node["properties"].items():
        if key in leave:
            continue
        for inner, suffix in mappings(value, defs):
            if not inner["properties"]:
                continue
            where = f"{path}.{key}{suffix}".lstrip(".")
            known = places.setdefault(id(inner["properties"]), where)
            if known == where:
                yield from _sections(inner, defs, where, "", level, (), places)
            else:
                yield f"{'#' * level} `{where}`\n\nAs `{known}`.\n"


def table(node: Schema, defs: Schema) -> Iterator[str]:
    """Yield the rows of a table of the keys of a mapping."""
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    required = node.get("required", ())
    for key, value in node["properties"].items():
        default = "*required*" if key in required else shown_default(value)
        yield f"| `{key}` | {cell(kind(value, defs))} | {default} | {cell(value.get('description', ''))} |"
    yield ""


def mappings(value: Schema, defs: Schema) -> Iterator[tuple[Schema, str]]:
    """Yield the mappings that a value may be or hold, each with what stands between in a path."""
    value = resolved(value, defs)
    if "properties" in value:
        yield value, ""
        return
    for choice in value.get("anyOf", ()) or value.get("oneOf", ()):
        yield from mappings(choice, defs)
    for entries in (value.get("additionalProperties"), *value.get("patternProperties", {}).values()):
        if isinstance(entries, Mapping):
            yield from ((inner, f".NAME{suffix}") for inner, suffix in mappings(entries, defs))
    if isinstance(value.get("items"), Mapping):
        yield from ((inner, f"[]{suffix}") for inner, suffix in mappings(value["items"], defs))


def resolved(value: Schema, defs: Schema) -> Schema:
    """Return a schema with the definition that it refers to, if any."""
    reference = value.get("$ref")
    return {**defs[reference.removeprefix("#/$defs/")], **value} if reference else value


def kind(value: Schema, defs: Schema) -> str:
    """Return in a few words what a value may be."""
    value = resolved(value, defs)
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    choices = value.get("anyOf") or value.get("oneOf") or ()
    words = dict.fromkeys(kind(choice, defs) for choice in choices if choice.get("type") != "null")
    if words:
        return " or ".join(words)
    kinds = value.get("type", "any")
    word = " or ".join(NAMED.get(each, each) for each in ([kinds] if isinstance(kinds, str) else kinds))
    if value.get("type") == "array" and value.get("items"):
        word = f"list of {kind(value['items'], defs)}"
    return word + limits(value)


def limits(value: Schema) -> str:
    """Return the range of a number."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value]
    return f" {', '.join(found)}" if found else ""


def shown_default(value: Schema) -> str:
    """Return the default of a key as a cell."""
    default = value.get("default")
    if default in (None, "", [], {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{', '.join(map(str, default)) if isinstance(default, list) else default}`"


def cell(text: str) -> str:
    """Return text that may stand in a cell."""
    return " ".join(text.replace("|", "\\|").split())


def operators(entry: Schema) -> Iterator[str]:
    """Yield the keys that all operators have, then a table of operators with their attributes."""
    common = {**entry["properties"], "op": {"description": "Operator, of the table below", "type": "string"}}
    yield from table({"properties": common, "required": ("op", "inputs", "output")}, {})
    yield "| op | does | inputs | attributes |\n|---|---|---|---|"
    for each in entry["allOf"]:
        name = each["if"]["properties"]["op"]["const"]
        keys = each["then"]["properties"]
        inputs = keys["inputs"]["description"].removeprefix("Operands: ")
        required = each["then"].get("required", ())
        attributes = [
            attribute(key, keys[key], key in required) for key in keys if keys[key] is not True and key != "inputs"
        ]
        yield f"| `{name}` | {cell(find_op(name).summary)} | {inputs} | {'<br>'.join(attributes)} |"
    yield ""


def attribute(key: str, value: Schema, required: bool) -> str:
    """Return an attribute of an operator, with its values and its default."""
    default = "required" if required else f"default {shown_default(value) or 'none'}"
    return cell(f"`{key}` ({kind(value, {})}; {default}): {value.get('description', '')}")


def models(workload: Schema) -> Iterator[str]:
    """Yield a table of the models, and one of the options of each."""
    defs = workload["$defs"]
    mapping = workload["properties"]["model"]["anyOf"][1]
    yield "| model | is |\n|---|---|"
    yield from (f"| `{name}` | {cell(value.get('description', ''))} |" for name, value in mapping["properties"].items())
    yield ""
    for name, value in mapping["properties"].items():
        for inner, _ in mappings(value, defs):
            if inner["properties"]:
                yield f"#### `model.{name}`\n"
                yield from table(inner, defs)


def chip_tables(chip: Schema) -> Iterator[str]:
    """Yield the constants of a chip with their units, and the columns of its AMP modes."""
    yield (
        "A constant is a bare value, or a mapping of `value`, `source` (text), `confidence` (`measured`,\n"
        "`documented`, `derived` or `assumed`) and `note` (text).\n"
    )
    for title, node in (("Chip file", chip), ("`amp_modes[]`", chip["$defs"]["AmpMode"])):
        yield f"### {title}\n\n| key | unit | value | meaning |\n|---|---|---|---|"
        for key, value in node["properties"].items():
            bare = next(
                (each for each in value.get("anyOf", ()) if set(each.get("properties", ())) != PROVENANCE), value
            )
            what = "list of mappings" if key == "amp_modes" else kind(bare, {})
            yield f"| `{key}` | {value.get('unit', '')} | {cell(what)} | {cell(value.get('description', ''))} |"
        yield ""


def main() -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace docs/keys.md")
    text = page()
    if parser.parse_args().write:
        write_atomic(PAGE, text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
