"""Results files in which something cannot be right are refused, with what it is, however they are read."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.exploration.exploring import saved
from ipusim.exploration.store import Store

ADVICE = "take it away, or take a copy of it, and run the same command again"


@pytest.fixture
def store(undisturbed, tmp_path):
    path = tmp_path / "store.sqlite"
    shutil.copy(undisturbed[0].path, path)
    return path


def change(path, *statements):
    connection = sqlite3.connect(path)
    for statement, *values in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()


def edited(path, key, value):
    """Change one figure of one simulation that has figures."""
    connection = sqlite3.connect(path)
    name, text = connection.execute("SELECT key, figures FROM results WHERE status = 'ok'").fetchone()
    connection.close()
    figures = {**json.loads(text), key: value}
    change(path, ("UPDATE results SET figures = ? WHERE key = ?", json.dumps(figures), name))


def refused(small, path):
    with pytest.raises(BadInputError) as caught:
        saved(small, path).to_dict()
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert problem.message.startswith("the file is damaged")
    assert problem.message.endswith(f": {ADVICE}")
    return problem.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("cycles", None), ("cycles", "12"), ("cycles", True), ("seconds", float("nan")), ("seconds", float("inf"))),
        *(("flops", -1), ("flops", 10**200), ("max_tile_bytes", [1]), ("area_mm2", "large")),
        *(("energy_by_component", [1]), ("energy_by_component", {"static": "a"})),
        *(("uncertainty", None), ("uncertainty", {}), ("uncertainty", {"validated_share": 1, "outside": "ab"})),
    ],
)
def test_figures_that_no_simulation_has(small, store, name, value):
    edited(store, name, value)
    assert "(the figures of simulation " in refused(small, store)


@pytest.mark.parametrize("text", ["[]", "{", "", None, "[" * 100_000, "9" * 5000, b"{}"])
def test_texts_that_are_no_mapping(small, store, text):
    change(store, ("UPDATE results SET figures = ?", text))
    assert "(the simulation " in refused(small, store)
    change(store, ("UPDATE points SET chosen = ?", text))
    assert "(point 0)" in refused(small, store)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE points SET position = 3.5 WHERE position = 3",
        "UPDATE points SET keys = NULL WHERE position = 3",
        "UPDATE points SET keys = '' WHERE position = 0",
        "UPDATE points SET keys = 'nobody knows' WHERE position = 0",
        "UPDATE points SET status = 'fine' WHERE position = 3",
        "UPDATE points SET reason = x'00' WHERE position = 3",
        "UPDATE points SET chosen = '{}' WHERE position = 0",
        "UPDATE points SET chosen = replace(chosen, '10', '11') WHERE position = 0",
        "UPDATE points SET chosen = replace(chosen, '32768', 'null') WHERE position = 0",
        "UPDATE results SET status = 'fine'",
        "UPDATE results SET reason = x'00'",
        "DELETE FROM results",
        "DROP TABLE points",
        "ALTER TABLE results RENAME COLUMN figures TO numbers",
    ],
)
def test_points_that_no_exploration_has_written(small, store, statement):
    change(store, (statement,))
    refused(small, store)


def test_what_is_no_table_is_not_read(small, store):
    change(store, ("CREATE VIEW more AS SELECT 1",))
    refused(small, store)


def test_claims_of_nobody_do_not_count(store):
    change(
        store,
        ("DELETE FROM results",),
        *(("INSERT INTO claims VALUES (?, ?)", key, owner) for key, owner in zip("abcd", OWNERS, strict=True)),
        *(("INSERT INTO owners VALUES (?, ?)", owner, heard) for owner, heard in zip(OWNERS, HEARD, strict=True)),
    )
    opened = Store(store)
    assert opened.claim(list("abcd")) == (set("abcd"), set())
    opened.close()


OWNERS = ("nobody", "elsewhere:1:x", "a:b", f"here:{10**30}:x")
HEARD = (1.0, "now", None, 1.0)


def test_a_time_that_cannot_be(small, store):
    change(store, ("INSERT INTO timings VALUES ('x', 9e999, 0)",))
    with pytest.raises(BadInputError, match="the time of the simulations"):
        saved(small, store).status()


def test_devices_and_folders_are_no_stores(tmp_path):
    for path in (Path("/dev/null"), tmp_path):
        with pytest.raises(BadInputError, match="is no file"):
            Store(path)
