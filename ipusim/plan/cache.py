"""Plans that were found before, on disk: the next process need not search, nor load the compiled search.

An entry is a small JSON file, named after a digest of everything the search depends on, under a folder named after a
digest of ipusim's sources. A missing, unreadable or damaged entry is searched again; a cache that cannot be written is
not used. Of entries beyond :data:`MOST_ENTRIES`, those that were not used for longest go.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from hashlib import sha256
from itertools import count
from pathlib import Path

from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic
from ipusim.files.caches import remove_oldest, used_folder
from ipusim.kernels.jit import cache_folder, source_digest

Rows = tuple[tuple[int, ...], ...]

MOST_ENTRIES = 20_000
"""Entries of one version of ipusim: a few kB each, about 50 MB in all."""

_WRITES_BETWEEN_LOOKS = 64

_writes = count()
_IS_WRITTEN: ContextVar[bool] = ContextVar("_IS_WRITTEN", default=True)


def entry_path(key: object) -> Path:
    """Return the file of the entry for `key`, any object whose ``repr`` names all its content."""
    name = sha256(repr(key).encode()).hexdigest()[:32]
    return cache_folder() / "plans" / source_digest() / f"{name}.json"


def read_entry(key: object) -> tuple[Rows, int] | None:
    """Return the rows and the memory bound stored for `key`, or None."""
    path = entry_path(key)
    try:
        stored = json.loads(path.read_bytes())
        rows = tuple(tuple(int(value) for value in row) for row in stored["rows"])
        found = rows, int(stored["bound"])
        if stored["digest"] != _digest(*found):
            return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    with suppress(OSError):
        os.utime(path)
    return found


@contextmanager
def not_written() -> Iterator[None]:
    """Let plans that are found meanwhile stay in memory: in a sweep, a file for each would take longer than its search.

    What was stored before is still read.
    """
    token = _IS_WRITTEN.set(False)
    try:
        yield
    finally:
        _IS_WRITTEN.reset(token)


def write_entry(key: object, rows: Rows, bound: int) -> None:
    """Store what was found for `key`; a cache that cannot be written is left alone."""
    if not _IS_WRITTEN.get():
        return
    path = entry_path(key)
    if used_folder(path.parents[1], path.parent.name) is None:
        return
    with suppress(BadInputError):
        write_atomic(path, json.dumps({"rows": rows, "bound": bound, "digest": _digest(rows, bound)}))
    if next(_writes) % _WRITES_BETWEEN_LOOKS == 0:
        remove_oldest(path.parent, MOST_ENTRIES)


def _digest(rows: Rows, bound: int) -> str:
    """Return a digest of an entry, by which one that was damaged is known."""
    return sha256(json.dumps((rows, bound)).encode()).hexdigest()[:16]
