"""Simulations in processes of this machine.

Each process has a few tasks at a time and answers one after another. One that dies is replaced; the task it was at is
tried again, three times in all, and the others that it had go back into the queue.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ipusim.errors import IpusimError
from ipusim.exploration.executors.task import MOST_DEATHS, Done, Performer, Task, lost
from ipusim.exploration.space import Space
from ipusim.pipeline.processes import end_when_told, interrupts_ignored, process_context

_MOST_AT_ONCE = 16
_ROUNDS = 4
"""A process gets at most one in so many of its part of the tasks that wait."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    tasks: deque[Task] = field(default_factory=deque)


class Processes:
    """Runs simulations in processes.

    Parameters
    ----------
    space : Space
    n_workers : int
    performer : callable
        Makes, in each process, what does the tasks; replaced in tests.
    """

    def __init__(
        self, space: Space, n_workers: int, performer: Callable[[Space], Callable[[Task], Done]] = Performer
    ) -> None:
        self._space = space
        self._n_workers = n_workers
        self._performer = performer
        self._workers: list[_Worker] = []
        self._deaths: Counter[str] = Counter()
        self._early_deaths = 0
        self._has_succeeded = False

    def run(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do all tasks; each is yielded as soon as it is finished."""
        waiting = deque(tasks)
        while len(self._workers) < min(self._n_workers, len(tasks)):
            self._start()
        for worker in self._workers:
            _assign(worker, waiting, self._share(waiting))
        while busy := {worker.connection: worker for worker in self._workers if worker.tasks}:
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]
                done = self._collect(worker, waiting)
                if done is not None:
                    yield done
            for worker in self._workers:
                if not worker.tasks:
                    _assign(worker, waiting, self._share(waiting))

    def _share(self, waiting: Sized) -> int:
        """Return how many tasks a process gets next: fewer and fewer, so that none waits long for the last."""
        return max(1, min(_MOST_AT_ONCE, len(waiting) // (_ROUNDS * self._n_workers)))

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._workers.clear()

    def _start(self) -> None:
        context = process_context()
        here, there = context.Pipe()
        process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_serve,
            args=(there, here if context.get_start_method() == "fork" else None, self._performer, self._space),
            daemon=True,
        )
        with interrupts_ignored():
            process.start()
        there.close()
        self._workers.append(_Worker(process, here))

    def _collect(self, worker: _Worker, waiting: deque[Task]) -> Done | None:
        """Take one result of a worker; a worker that died is replaced, and its tasks go back into the queue."""
        try:
            done: Done = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker, waiting)
        worker.tasks.popleft()
        self._has_succeeded = True
        return done

    def _bury(self, worker: _Worker, waiting: deque[Task]) -> Done | None:
        worker.process.join()
        worker.connection.close()
        self._workers.remove(worker)
        self._early_deaths += not self._has_succeeded
        if self._early_deaths >= MOST_DEATHS:
            message = "processes die as soon as they start; --workers 1 (workers=1) does without them"
            raise IpusimError(message)
        self._start()
        task = worker.tasks.popleft()
        waiting.extendleft(reversed(worker.tasks))
        self._deaths[task.key] += 1
        if self._deaths[task.key] < MOST_DEATHS:
            waiting.appendleft(task)
            return None
        code = worker.process.exitcode or 0
        return lost(task, f"were ended by signal {-code}" if code < 0 else f"ended with code {code}")


def _assign(worker: _Worker, waiting: deque[Task], share: int) -> None:
    if not waiting:
        return
    worker.tasks = deque(waiting.popleft() for _ in range(min(share, len(waiting))))
    with suppress(OSError):  # a process that is dead is found out when its answer is awaited
        worker.connection.send(list(worker.tasks))


def _serve(connection: Connection, other_end: Connection | None, performer: Callable[[Any], Any], space: Any) -> None:
    """Do tasks in a process of its own, until its parent is gone."""
    end_when_told()
    if other_end is not None:
        other_end.close()
    perform = performer(space)
    with suppress(EOFError, OSError):
        while True:
            for task in connection.recv():
                connection.send(perform(task))
