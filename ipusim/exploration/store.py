"""Where finished points are kept: an SQLite file, which survives whatever happens to those who write to it.

``results`` has one row for every simulation, under the digest of chip, workload and model; ``points`` says, space by
space and in the order of the sampler, which values were chosen and which simulations they led to. Both are the same
however a space was explored. ``models`` says of which version of the model a space is. ``timings``, ``claims`` and
``owners`` are not the same.

A simulation is claimed before it is started, so that several processes can share a file without doing anything twice:
who finds a claim of a living process waits for its result. A process of this host is taken for dead when there is none
of its number, or only a younger one; a process of another host when it has not been heard of for a minute.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from psutil import NoSuchProcess, Process

from ipusim.errors import BadInputError, IpusimError, Problem
from ipusim.exploration.statuses import STORED
from ipusim.files.wording import shorten

APPLICATION = 0x49505553
"""What SQLite files of this kind carry as their application id."""

SCHEMA = 1

_ADVICE = "take it away, or take a copy of it, and run the same command again"
_SIGNS_OF_DAMAGE = ("malformed", "no such table", "no such column", "has no column", "Could not decode", "file format")

_SILENT_S = 60.0
_BEAT_S = 5.0
_BUSY_S = 60.0

_TABLES = """
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, status TEXT, reason TEXT, figures TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
    space TEXT, position INTEGER, chosen TEXT, keys TEXT, status TEXT, reason TEXT,
    PRIMARY KEY (space, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spaces (key TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models (space TEXT PRIMARY KEY, model TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timings (key TEXT PRIMARY KEY, seconds REAL, finished REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, heard REAL) WITHOUT ROWID;
"""

NO_RESULTS = "there are no results yet"

Row = dict[str, Any]

_MOST_POINTS = 2**62


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a space, with what became of it.

    Attributes
    ----------
    position : int
        Place in the order of the sampler.
    values : dict
        Value of every parameter.
    keys : tuple of str
        Keys of its simulations, one for each workload; empty where nothing was simulated.
    status : str
        ``ok``, ``infeasible``, ``invalid`` (there is no such chip or workload), ``excluded`` (by a constraint on the
        parameters) or ``failed``.
    reason : str
        Why it is not ``ok``.
    """

    position: int
    values: dict[str, Any]
    keys: tuple[str, ...]
    status: str
    reason: str


class Store:
    """An open results file.

    Parameters
    ----------
    path : Path
        Made if it is not there and may be written.
    writes : bool
        Whether anything is to be written; a file on which nobody may write can still be read.

    Raises
    ------
    BadInputError
        When the file cannot be opened, or is something else.
    """

    def __init__(self, path: Path, writes: bool = True) -> None:
        if path.exists() and not path.is_file():
            raise BadInputError([Problem(str(path), 0, 0, "", "is no file")])
        self.path = path
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
        self._heard = 0.0
        try:
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            is_new = self._check()
            if writes:
                self._prepare()
        except sqlite3.Error as error:
            raise _unusable(error, path) from None
        self._writes = writes
        if is_new and not writes:
            raise BadInputError([Problem(str(path), 0, 0, "", NO_RESULTS, "explore the space first")])

    def _check(self) -> bool:
        """Return whether the file is new; refuse one that is something else."""
        try:
            is_new = not self._tables()
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or not _is_settled(self.path):
                raise
            # without the right to write, SQLite reads a file in WAL mode only if told that nobody else does
            self._connection.close()
            uri = f"{self.path.resolve().as_uri()}?immutable=1"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
            is_new = not self._tables()
        run = self._connection.execute
        application, schema = (run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if not is_new and application != APPLICATION:
            raise sqlite3.DatabaseError("it is an SQLite file, but not one of ipusim's")
        others = "SELECT count(*) FROM sqlite_master WHERE type NOT IN ('table', 'index')"
        if not is_new and run(others).fetchone()[0]:
            raise sqlite3.DatabaseError("the database is malformed")
        if not is_new and schema != SCHEMA:
            raise sqlite3.DatabaseError(f"it was written by another version of ipusim (schema {schema}, not {SCHEMA})")
        return is_new

    def _tables(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        with self._writing():
            run(f"PRAGMA application_id = {APPLICATION}")
            run(f"PRAGMA user_version = {SCHEMA}")
            for statement in _TABLES.split(";"):
                run(statement)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Do everything inside, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise IpusimError(f"{self.path}: {_words(error, self.path)}") from None
            raise

    def close(self) -> None:
        """Give back what is claimed, and close the file."""
        if self._writes:
            # a full disk or a lost file does no harm here, because claims of a process that has ended count for nothing
            with suppress(IpusimError, sqlite3.Error), self._writing() as connection:
                connection.execute("DELETE FROM claims WHERE owner = ?", (self.owner,))
                connection.execute("DELETE FROM owners WHERE owner = ?", (self.owner,))
        self._connection.close()

    def _query(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield what a query finds."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise _unusable(error, self.path) from None

    def forget_failures(self, space: str) -> None:
        """Drop the points of a space that failed, and all simulations that did, so that they are tried again."""
        with self._writing() as connection:
            connection.execute("DELETE FROM points WHERE space = ? AND status = 'failed'", (space,))
            connection.execute("DELETE FROM results WHERE status = 'failed'")

    def add_space(self, key: str, name: str, model: str) -> None:
        """Note the name of a space, and the version of the model that its points are of."""
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO spaces VALUES (?, ?)", (key, name))
            connection.execute("INSERT OR IGNORE INTO models VALUES (?, ?)", (key, model))

    def others(self, key: str, name: str, model: str) -> tuple[int, int]:
        """Return how many points there are of spaces of the same name but another key.

        Returns
        -------
        tuple of two int
            Those of another version of the model, and those of this one: with other parameters, sampler or seed.
        """
        has_models = next(self._query("SELECT count(*) FROM sqlite_master WHERE name = 'models'"))[0]
        version = "(SELECT model FROM models WHERE space = spaces.key)" if has_models else "NULL"
        counts = [0, 0]
        query = (
            f"SELECT {version}, (SELECT count(*) FROM points WHERE space = spaces.key) FROM spaces "
            "WHERE name = ? AND key != ?"
        )
        for found, count in self._query(query, (name, key)):
            counts[found == model] += count
        return counts[0], counts[1]

    def claim(self, keys: Sequence[str]) -> tuple[set[str], set[str]]:
        """Claim simulations.

        Returns
        -------
        tuple of two set of str
            What is left to this process, and what another living one has claimed. The others are finished.
        """
        mine: set[str] = set()
        theirs: set[str] = set()
        with self._writing() as connection:
            self._beat(connection)
            owners = connection.execute("SELECT owner, heard FROM owners").fetchall()
            living = {owner for owner, heard in owners if _lives(owner, heard)}
            for key in keys:
                if connection.execute("SELECT 1 FROM results WHERE key = ?", (key,)).fetchone():
                    continue
                found = connection.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
                if found and found[0] != self.owner and found[0] in living:
                    theirs.add(key)
                    continue
                connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, self.owner))
                mine.add(key)
        return mine, theirs

    def _beat(self, connection: sqlite3.Connection) -> None:
        now = time.time()
        if now - self._heard > _BEAT_S:
            connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?)", (self.owner, now))
            self._heard = now

    def put(self, rows: Iterable[tuple[str, Row, float]], space: str = "", points: Iterable[Point] = ()) -> None:
        """Keep finished simulations: key, row and the seconds that each took; one that is there already stays.

        Points of a space that are finished with them are kept in the same step.
        """
        with self._writing() as connection:
            self._beat(connection)
            for key, row, seconds in rows:
                figures = json.dumps(row["figures"], sort_keys=True)
                connection.execute(
                    "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", (key, row["status"], row["reason"], figures)
                )
                connection.execute("INSERT OR IGNORE INTO timings VALUES (?, ?, ?)", (key, seconds, time.time()))
                connection.execute("DELETE FROM claims WHERE key = ?", (key,))
            _put_points(connection, space, points)

    def rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return those of the simulations that are finished, by key."""
        found: dict[str, Row] = {}
        for start in range(0, len(keys), 500):
            part = list(keys[start : start + 500])
            marks = ",".join("?" * len(part))
            query = f"SELECT key, status, reason, figures FROM results WHERE key IN ({marks})"
            for key, status, reason, figures in self._query(query, part):
                content = self._mapping(figures)
                if content is None or status not in STORED or not isinstance(reason, str):
                    raise self.damaged(f"the simulation {key}")
                found[key] = {"status": status, "reason": reason, "figures": content}
        return found

    def put_points(self, space: str, points: Iterable[Point]) -> None:
        """Keep points of a space; one at the same place is replaced."""
        found = list(points)
        if found:
            with self._writing() as connection:
                _put_points(connection, space, found)

    def points(self, space: str, start: int = 0, count: int | None = None) -> Iterator[Point]:
        """Yield the points of a space from a position on, in order."""
        end = _MOST_POINTS if count is None else start + count
        query = (
            "SELECT position, chosen, keys, status, reason FROM points "
            "WHERE space = ? AND position >= ? AND position < ? ORDER BY position"
        )
        for position, values, keys, status, reason in self._query(query, (space, start, end)):
            content = self._mapping(values)
            texts = isinstance(keys, str) and isinstance(reason, str)
            if content is None or status not in STORED or not texts or not isinstance(position, int):
                raise self.damaged(f"point {position}")
            yield Point(position, content, tuple(keys.split()), status, reason)

    @staticmethod
    def _mapping(text: object) -> dict[str, Any] | None:
        """Return the mapping in a text; None where there is none."""
        try:
            found = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def damaged(self, what: str) -> BadInputError:
        """Return the error that says that something in the file cannot be right."""
        words = f"the file is damaged ({shorten(what, 100)}): {_ADVICE}"
        return BadInputError([Problem(str(self.path), 0, 0, "", words)])

    def n_points(self, space: str, start: int = 0, count: int | None = None) -> int:
        """Return how many points of a space there are from a position on."""
        end = _MOST_POINTS if count is None else start + count
        query = "SELECT count(*) FROM points WHERE space = ? AND position >= ? AND position < ?"
        return int(next(self._query(query, (space, start, end)))[0])

    def seconds(self) -> tuple[int, float]:
        """Return the number of simulations whose time is known, and their time together."""
        count, total = next(self._query("SELECT count(*), total(seconds) FROM timings"))
        if not 0 <= total < math.inf:
            raise self.damaged("the time of the simulations")
        return int(count), float(total)


def _put_points(connection: sqlite3.Connection, space: str, points: Iterable[Point]) -> None:
    rows = [
        (space, each.position, json.dumps(each.values), " ".join(each.keys), each.status, each.reason)
        for each in points
    ]
    connection.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?)", rows)


def _is_settled(path: Path) -> bool:
    """Tell whether all of a file is in the file itself, and nothing in a log beside it."""
    log = path.with_name(f"{path.name}-wal")
    return path.is_file() and not (log.exists() and log.stat().st_size)


def _unusable(error: sqlite3.Error, path: Path) -> BadInputError:
    return BadInputError([Problem(str(path), 0, 0, "", _words(error, path))])


def _lives(owner: str, heard: float) -> bool:
    """Tell whether an owner lives; on this host, a process of its number that is not younger than its last word."""
    try:
        host, pid, _ = owner.rsplit(":", 2)
        if host != socket.gethostname():
            return time.time() - heard < _SILENT_S
        return Process(int(pid)).create_time() <= heard
    except (NoSuchProcess, ValueError, TypeError, AttributeError, OverflowError):
        return False  # there is no such process, or nobody of this kind has written it


def _words(error: sqlite3.Error, path: Path) -> str:
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return "the disk is full: free some space and run the same command again; finished points are kept"
    if "not a database" in text:
        return "this is no SQLite file"
    if "unable to open" in text:
        return "cannot be opened" if path.parent.is_dir() else f"there is no folder {str(path.parent)!r}"
    if any(word in text for word in _SIGNS_OF_DAMAGE):
        return f"the file is damaged: {_ADVICE}"
    if "readonly" in text:
        return "cannot be written: only --status and --saved can read it as it is"
    return text
