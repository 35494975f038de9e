"""Work spread over processes: each has one task at a time, so that a process that dies takes only that task along."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from ipusim.errors import IpusimError
from ipusim.pipeline.processes import end_when_told, interrupts_ignored, process_context

T = TypeVar("T")
R = TypeVar("R")

_MOST_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Work(Generic[T, R]):
    """Tasks and what to do with them.

    Attributes
    ----------
    tasks : sequence
    key : callable
        Tasks with the same key go to the same process where possible: they share what it keeps in memory.
    perform : callable
        Makes a result of a task; called in another process, which may have been started afresh (it is pickled then).
    lost : callable
        Makes a result of a task whose process died with an exit code (negative for a signal).
    done : callable
        Called with the index of every task that is finished.
    """

    tasks: Sequence[T]
    key: Callable[[T], Hashable]
    perform: Callable[[T], R]
    lost: Callable[[T, int], R]
    done: Callable[[int], None]


def perform_all(work: Work[T, R], n_workers: int) -> tuple[list[R | None], bool]:
    """Return the results in the order of the tasks, and whether the user interrupted the work.

    What was not finished before an interrupt is None.
    """
    results: list[R | None] = [None] * len(work.tasks)
    n_workers = min(n_workers, len(work.tasks))
    try:
        if n_workers > 1:
            _Pool(work, results).run(n_workers)
        else:
            for index, task in enumerate(work.tasks):
                results[index] = work.perform(task)
                work.done(index)
    except KeyboardInterrupt:
        return results, True
    return results, False


class _Queue:
    """Indices of tasks, handed out so that tasks of one key stay in one process."""

    def __init__(self, keys: Sequence[Hashable]) -> None:
        self._waiting: dict[Hashable, deque[int]] = {}
        self._untouched: dict[Hashable, None] = {}
        for index, key in enumerate(keys):
            self._waiting.setdefault(key, deque()).append(index)
            self._untouched[key] = None

    def take(self, last: Hashable) -> tuple[int, Hashable] | None:
        """Return a task like the `last`, else the first of a new key, else one of the longest queue."""
        if not self._waiting:
            return None
        if last in self._waiting:
            key = last
        elif self._untouched:
            key = next(iter(self._untouched))
        else:
            key = max(self._waiting, key=lambda each: len(self._waiting[each]))
        self._untouched.pop(key, None)
        index = self._waiting[key].popleft()
        if not self._waiting[key]:
            del self._waiting[key]
        return index, key


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    index: int | None = None
    key: Hashable = None


@dataclass(slots=True)
class _Pool(Generic[T, R]):
    work: Work[T, R]
    results: list[R | None]
    workers: list[_Worker] = field(default_factory=list)
    deaths: int = 0
    has_succeeded: bool = False

    def run(self, n_workers: int) -> None:
        """Do all the work; the processes have ended when this returns or raises."""
        queue = _Queue([self.work.key(task) for task in self.work.tasks])
        try:
            for _ in range(n_workers):
                self._assign(self._start(), queue)
            while busy := [worker for worker in self.workers if worker.index is not None]:
                for ready in wait([worker.connection for worker in busy]):
                    worker = next(each for each in busy if each.connection is ready)
                    self._assign(self._collect(worker), queue)
        finally:
            for worker in self.workers:
                worker.process.terminate()
            for worker in self.workers:
                worker.process.join()
                worker.connection.close()

    def _start(self) -> _Worker:
        context = process_context()
        here, there = context.Pipe()
        process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_serve,
            args=(there, here if context.get_start_method() == "fork" else None, self.work.perform, self.work.tasks),
            daemon=True,
        )
        with interrupts_ignored():
            process.start()
        there.close()
        worker = _Worker(process, here)
        self.workers.append(worker)
        return worker

    def _assign(self, worker: _Worker, queue: _Queue) -> None:
        taken = queue.take(worker.key)
        if taken is None:
            worker.index = None
            return
        worker.index, worker.key = taken
        with suppress(OSError):  # a process that is dead is found out when its answer is awaited
            worker.connection.send(worker.index)

    def _collect(self, worker: _Worker) -> _Worker:
        """Take the result of a worker, and return the worker for the next task: a new one if it died."""
        index = worker.index
        assert index is not None
        try:
            self.results[index] = worker.connection.recv()
            self.has_succeeded = True
        except (EOFError, OSError):
            worker.process.join()
            self.workers.remove(worker)
            worker.connection.close()
            self.deaths += 1
            if self.deaths >= _MOST_DEATHS and not self.has_succeeded:
                message = "processes die as soon as they start; --workers 1 (workers=1) does without them"
                raise IpusimError(message) from None
            self.results[index] = self.work.lost(self.work.tasks[index], worker.process.exitcode or 0)
            worker = self._start()
        self.work.done(index)
        return worker


def _serve(connection: Connection, other_end: Connection | None, perform: Callable[[Any], Any], tasks: Any) -> None:
    """Perform tasks in a process of its own, until its parent is gone."""
    end_when_told()
    if other_end is not None:
        other_end.close()
    with suppress(EOFError, OSError):
        while True:
            connection.send(perform(tasks[connection.recv()]))
