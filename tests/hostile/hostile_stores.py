"""Results files of explorations with something wrong: in their bytes, or in what their tables say."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hostile_attempts import ACCEPTED, MessageError, cli
from hostile_files import damaged
from hostile_pools import TINY
from hostile_variants import variants
from hostile_words import WORDS
from hypothesis import strategies as st

SPACE: dict[str, Any] = {
    "name": "s",
    "chip": "tiny",
    "workloads": [TINY, {"workload": TINY, "name": "wide", "weight": 2, "set": {"tensors.x.shape": [8, 8]}}],
    "parameters": {"n_tiles": [2, 4], "sync_cycles": {"from": 10, "to": 40}, "tile_sram_bytes": "64 KiB / n_tiles"},
    "constraints": ["cycles < 1e9", "n_tiles * sync_cycles < 140"],
    "objectives": ["seconds", "tflops:desc"],
    "sampler": "random",
    "budget": 4,
}

_CELLS = st.one_of(
    st.sampled_from((None, "", "{}", "[]", "null", "NaN", '{"a": NaN}', "[" * 5000, "9" * 5000, "ok", "failed", "\0")),
    st.sampled_from((0, -1, 2**62, -(2**63), 2**63 - 1, 1e308, float("inf"), b"", b"\xff\xfe", b"{}")),
    st.sampled_from(WORDS).filter(lambda word: word.isprintable()),
)
_STATEMENTS = (
    *("DROP TABLE results", "DROP TABLE points", "DROP TABLE claims", "DROP TABLE owners", "DROP TABLE models"),
    *("ALTER TABLE results RENAME COLUMN figures TO f", "ALTER TABLE points RENAME TO p", "DELETE FROM results"),
    *("DELETE FROM points WHERE position = 1", "PRAGMA user_version = 0", "PRAGMA user_version = 999"),
    *(
        "PRAGMA application_id = 0",
        "DELETE FROM spaces",
        "DELETE FROM models",
        "ALTER TABLE points ADD COLUMN z TEXT",
    ),
    "INSERT INTO claims SELECT key, 'nobody' FROM results",
    "INSERT INTO owners VALUES ('localhost:1:x', 'now')",
    "DROP TABLE results; CREATE VIEW results AS WITH RECURSIVE r(key) AS (SELECT 1 UNION ALL SELECT key FROM r) "
    "SELECT key, 'ok' AS status, '' AS reason, '{}' AS figures FROM r",
    "CREATE TRIGGER t AFTER INSERT ON results BEGIN DELETE FROM results; END",
)


@cache
def sound_store() -> bytes:
    """Return the content of the results file of the space, all of its points finished."""
    from ipusim.exploration.exploring import explore

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        explore(SPACE, store=path, workers=1)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        return path.read_bytes()


@st.composite
def stores(draw: st.DrawFn, sound: bytes) -> bytes:
    """Return the content of a results file, made of that of a sound one."""
    match draw(st.sampled_from("ooccccccsssjjjjdddtbb")):
        case "o":
            return sound
        case "d":
            return draw(damaged(sound))
        case "t":
            return sound[: draw(st.integers(0, len(sound)))]
        case "b":
            return draw(st.binary(max_size=300) | st.sampled_from((b"", sound[:100], b"SQLite format 3\0", sound * 2)))
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(sound)
        for _ in range(draw(st.integers(1, 2))):
            _change(draw, connection)
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


def _change(draw: st.DrawFn, connection: sqlite3.Connection) -> None:
    """Change a cell of a table, exchange two, change a text in one, or change the tables themselves."""
    if draw(st.integers(0, 4)) == 0:
        try:
            connection.executescript(draw(st.sampled_from(_STATEMENTS)))
        except sqlite3.Error:
            return  # another change has taken away what this one needs
        return
    columns = {"results": ("key", "status", "reason", "figures"), "points": ("position", "chosen", "keys", "status")}
    table = draw(st.sampled_from(("results", "points", "points")))
    column = draw(st.sampled_from((*columns[table], columns[table][-1])))
    try:
        found = [row[0] for row in connection.execute(f"SELECT {column} FROM {table} LIMIT 100")]
        if not found:
            return
        old = draw(st.sampled_from(found))
        match draw(st.sampled_from("cjjjx")):
            case "c":
                new: Any = draw(_CELLS)
            case "x":
                new = draw(st.sampled_from(found))
            case _:
                number = draw(st.integers(0, 30))
                new = variants(str(old).encode() + b" " * number, 1)[0].decode("utf-8", "replace")
        connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {column} IS ?", (new, old))
    except (sqlite3.Error, OverflowError, MemoryError):  # the table may be a view of more than there is room for
        return


def attempt_store(drawn: tuple[bytes, str]) -> str:
    """Show what a results file holds, or go on with it; what is accepted once has to be accepted again."""
    content, how = drawn
    for leftover in Path().glob("store.sqlite*"):
        leftover.unlink()
    Path("store.sqlite").write_bytes(content)
    Path("store-space.json").write_text(json.dumps(SPACE))
    if how == "report":
        return cli(["report", "store.sqlite"])
    command = ["explore", "store-space.json", "--store", "store.sqlite"]
    further = {"status": ["--status"], "saved": ["--saved", "--csv", "a.csv"], "resume": ["--workers", "1", "--json"]}
    found = cli([*command, *further[how]])
    if how == "resume" and found == ACCEPTED and cli([*command, "--saved"]) != found:
        raise MessageError("what was explored cannot be read again")
    return found
