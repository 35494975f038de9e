"""Numba's cache of compiled functions, made fit for several processes, full disks and damaged files.

Numba numbers the files of a function, and keeps an index of them: two processes that compile the same function for
other types at once can give a file the same number, and then one of them runs the code of the other. A file that is cut
off ends the process with an error of its own. Here a file is named after a digest of everything that its code depends
on, begins with a digest of its content, and counts for nothing if that does not fit.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

_DIGEST_BYTES = 32

_listeners: list[Callable[[], None]] = []


def when_compiling(tell: Callable[[], None]) -> None:
    """Let `tell` be called before each function that was not found in the cache is compiled."""
    _listeners.append(tell)


@cache
def use_checked_files() -> None:
    """Let Numba keep what it compiles in such files from now on."""
    caching: Any = import_module("numba.core.caching")
    caching.IndexDataCacheFile = _checked(caching.IndexDataCacheFile)


def _checked(base: Any) -> Any:
    class CheckedFiles(base):  # type: ignore[misc]
        """The files of one function, without an index."""

        def flush(self) -> None:
            """Leave what is there: nothing stale is ever found."""

        def save(self, key: object, data: object) -> None:
            """Keep what was compiled for a key; a cache that cannot be written is not used."""
            content = self._dump(data)
            with suppress(OSError), self._open_for_write(self._data_path(self._name(key))) as file:
                file.write(sha256(content).digest() + content)

        def load(self, key: object) -> Any:
            """Return what was compiled for a key; None where there is nothing, or something damaged."""
            with suppress(OSError):
                stored = Path(self._data_path(self._name(key))).read_bytes()
                content = stored[_DIGEST_BYTES:]
                if sha256(content).digest() == stored[:_DIGEST_BYTES]:
                    return pickle.loads(content)
            for tell in _listeners:
                tell()
            return None

        def _name(self, key: object) -> str:
            digest = sha256(repr((key, self._version, self._source_stamp)).encode()).hexdigest()[:32]
            return f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"

    return CheckedFiles
