"""A line on stderr that says what long work is doing."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import mmap

_PATIENCE_S = 0.5

COMPILING = "ipusim: compiling what is needed for the first time, once (up to a minute) ..."
"""Told on stderr, be it a terminal or not."""


@contextmanager
def progress_line() -> Iterator[Callable[[str], None] | None]:
    """Yield a function that shows a message on the terminal, or None where stderr is no terminal.

    Nothing is shown in the first half second, so that short work stays silent; the line is wiped at the end.
    """
    if not sys.stderr.isatty():
        yield None
        return
    start, shown = time.monotonic(), False

    def show(message: str) -> None:
        nonlocal shown
        if time.monotonic() - start >= _PATIENCE_S:
            room = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{message[:room]}")
            sys.stderr.flush()
            shown = True

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def tell_of_compiling() -> None:
    """Say on stderr, once for this process and its copies, when kernels are compiled because none are kept."""
    from ipusim.kernels.caching import when_compiling

    is_told = mmap(-1, 1)

    def tell() -> None:
        if not is_told[0]:
            is_told[0] = 1
            start = "\r\x1b[K" if sys.stderr.isatty() else ""
            print(f"{start}{COMPILING}", file=sys.stderr, flush=True)

    when_compiling(tell)
