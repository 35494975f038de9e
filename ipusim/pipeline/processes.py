"""How sweeps start processes of their own, and how many."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import BaseContext

from psutil import virtual_memory

_WORKER_BYTES = 2**30
"""What a process takes for the largest points of the published benchmark."""


def default_workers() -> int:
    """Return a process for every processor core that this process may use, as far as there is memory for them."""
    cores = os.cpu_count() or 1
    with suppress(AttributeError):
        cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, virtual_memory().available // _WORKER_BYTES))


def process_context() -> BaseContext:
    """Return how processes are started.

    A copy of this process starts at once, but only on Linux and only if no other thread runs may it be made.
    """
    may_fork = sys.platform.startswith("linux") and threading.active_count() == 1
    return multiprocessing.get_context("fork" if may_fork else "spawn")


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C, which their parent answers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def end_when_told() -> None:
    """Let SIGTERM end this process at once and silently, whatever its parent does on that signal."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
