"""Plans that were found before, on disk: the next process need not search, nor load the compiled search.

An entry is a small JSON file, named after a digest of everything the search depends on, under a folder named after a
digest of ipusim's sources. A missing, unreadable or damaged entry is searched again; a cache that cannot be written is
not used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path

from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic
from ipusim.kernels.jit import cache_folder, source_digest

Rows = tuple[tuple[int, ...], ...]

_IS_WRITTEN: ContextVar[bool] = ContextVar("_IS_WRITTEN", default=True)


def entry_path(key: object) -> Path:
    """Return the file of the entry for `key`, any object whose ``repr`` names all its content."""
    name = sha256(repr(key).encode()).hexdigest()[:32]
    return cache_folder() / "plans" / source_digest() / f"{name}.json"


def read_entry(key: object) -> tuple[Rows, int] | None:
    """Return the rows and the memory bound stored for `key`, or None."""
    try:
        stored = json.loads(entry_path(key).read_text())
        rows = tuple(tuple(int(value) for value in row) for row in stored["rows"])
        return rows, int(stored["bound"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps({"rows": rows, "bound": bound}))
    except (OSError, BadInputError):
        return
