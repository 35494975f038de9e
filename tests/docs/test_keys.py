"""Every key that a file may have, and every key of a result, is in the pages."""

import json
import re
import subprocess
import sys

import pytest
from snippets import ROOT

from ipusim.chip.schema import chip_file_schema
from ipusim.cli.main import main
from ipusim.exploration.schema import space_file_schema
from ipusim.frontends.schema import workload_file_schema

_FILES = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")


def _keys(node):
    if isinstance(node, dict):
        yield from node.get("properties") or ()
        for value in node.values():
            yield from _keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from _keys(value)


@pytest.mark.parametrize("schema", [chip_file_schema, workload_file_schema, space_file_schema])
def test_every_key_of_a_schema_is_described(schema):
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    keys = set(_keys(schema()))
    assert len(keys) > 15
    assert not {key for key in keys if f"`{key}`" not in page}


def test_the_page_of_keys_is_what_the_schemas_say():
    made = subprocess.run([sys.executable, ROOT / "scripts" / "key_tables.py"], capture_output=True, text=True)
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    assert made.stdout == page, "run .venv/bin/python scripts/key_tables.py --write"


def _documented(heading):
    """Return the words in code type of one section of the page on files."""
    section = re.split(rf"^#+ {re.escape(heading)}$", _FILES, flags=re.MULTILINE)[1]
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return set(re.findall(r"`([\w.]+)`", section))


def _printed(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_key_of_a_run_is_described(capsys):
    result = _printed(capsys, "run", str(ROOT / "workloads" / "dense" / "tiny.yaml"), "--profile")
    words = _documented("Results")
    inner = ("memory", "check", "uncertainty", "cycles_by_phase", "profile", "energy")
    keys = {*result, *result["ops"][0], *(key for name in inner for key in result[name])}
    assert not keys - words


def test_every_table_of_a_store_is_described(tmp_path, capsys):
    import sqlite3

    space = {
        "name": "two",
        "chip": "tiny",
        "workloads": "dense/tiny",
        "parameters": {"n_tiles": [2, 4]},
    }
    file = tmp_path / "two.json"
    file.write_text(json.dumps(space))
    store = tmp_path / "two.sqlite"
    result = _printed(capsys, "explore", str(file), "--store", str(store), "--workers", "1")
    words = _documented("Exploration store")
    with sqlite3.connect(store) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [row[1] for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
    assert not {*tables, *columns} - words
    assert not set(result) - _documented("Results")
