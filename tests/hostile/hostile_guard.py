"""Runs something with a limit on processor time, and tells how long it took and how much memory it held."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MAX_BYTES = 2 * 2**30
"""Most memory that an input may make a process hold."""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class TooSlowError(BaseException):
    """An input took more processor time than it may; no handler of errors takes it for one of its own."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlowError in the main thread after so many seconds of processor time."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def forget_peak() -> None:
    """Begin to measure the peak of the memory anew, where the system can."""
    with suppress(OSError):
        _CLEAR.write_text("5")


def peak_bytes() -> int:
    """Return the most memory that the process has held since it was forgotten."""
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def measured(action: Callable[[], Any], seconds: float) -> tuple[Any, float, int]:
    """Return what `action` gives, its processor time in seconds, and the peak of the memory in bytes."""
    forget_peak()
    begin = time.process_time()
    with cpu_limit(seconds):
        result = action()
    return result, time.process_time() - begin, peak_bytes()
