"""A small pool of threads that share out ranges of vertices; kernels release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from itertools import pairwise
from types import TracebackType

Done = Callable[[float], None]
Launch = Callable[["Workers"], object]
"""A piece of work that can be done again, by whichever workers."""

_RANGES_PER_THREAD = 8


class Workers:
    """Threads that run kernels over ranges; use as a context manager.

    Parameters
    ----------
    threads : int
        At least 1. With one thread everything runs in the caller's.
    reports : bool
        Whether somebody wants to know how far a single thread has come; else it takes everything at once.
    launches : list, optional
        Receives all that is done, in order: called one after the other they do it again, with the same arrays.
    """

    def __init__(self, threads: int, reports: bool = True, launches: list[Launch] | None = None) -> None:
        self.threads = threads
        self._n_ranges = threads * _RANGES_PER_THREAD if reports or threads > 1 else 1
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._launches = launches

    def run(self, task: Callable[[int, int], object], count: int, done: Done | None = None) -> None:
        """Call ``task(first, last)`` on ranges that together cover ``range(count)`` once, in any order.

        Parameters
        ----------
        task : callable
            Its calls must not depend on one another.
        count : int
        done : callable, optional
            Told, in the caller's thread, which fraction is done.

        Raises
        ------
        Exception
            Whatever a task raises, after the ranges that were already running.
        """
        if count == 0:
            return
        if self._launches is not None:
            self._launches.append(partial(Workers.run, task=task, count=count))
        if self._n_ranges == 1 and done is None:
            task(0, count)
            return
        n_ranges = min(count, self._n_ranges)
        bounds = [count * i // n_ranges for i in range(n_ranges + 1)]
        if self._pool is None:
            for first, last in pairwise(bounds):
                task(first, last)
                if done is not None:
                    done(last / count)
            return
        waiting = [self._pool.submit(task, first, last) for first, last in pairwise(bounds)]
        for finished, future in enumerate(as_completed(waiting), start=1):
            future.result()
            if done is not None:
                done(finished / n_ranges)

    def do(self, work: Launch) -> None:
        """Do something that is not a kernel, or that looks at values first: ``work(self)``.

        What it makes the workers do is a part of it. It must not keep anything from one time to the next.
        """
        launches, self._launches = self._launches, None
        work(self)
        self._launches = launches
        if launches is not None:
            launches.append(work)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def share_of(done: Done | None, part: int, parts: int) -> Done | None:
    """Return a callback for part number `part` of `parts` equal ones, which tells `done` the fraction of the whole."""
    if done is None:
        return None
    return lambda fraction: done((part + fraction) / parts)
