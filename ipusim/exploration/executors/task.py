"""One simulation to do, and how any process does it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ipusim.exploration.evaluation import Evaluator, Row
from ipusim.exploration.resolving import Resolver
from ipusim.exploration.space import Space
from ipusim.exploration.statuses import FAILED

MOST_DEATHS = 3
"""Processes that may die over one simulation before it counts as failed."""


@dataclass(frozen=True, slots=True)
class Task:
    """One simulation.

    Attributes
    ----------
    key : str
        Key of its result.
    values : dict
        Value of every parameter.
    member : int
        Index of the workload in the space.
    """

    key: str
    values: dict[str, Any]
    member: int


@dataclass(frozen=True, slots=True)
class Done:
    """A finished simulation.

    Attributes
    ----------
    task : Task
    row : dict
        ``status``, ``reason`` and ``figures``.
    seconds : float
        Processor time it took.
    """

    task: Task
    row: Row
    seconds: float


class Executor(Protocol):
    """A place where simulations run."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do all tasks; each is yielded as soon as it is finished, in any order."""

    def close(self) -> None:
        """Stop everything that runs."""


class Performer:
    """Does tasks of one space, and keeps what they share."""

    def __init__(self, space: Space) -> None:
        self._resolver = Resolver(space)
        self._evaluator = Evaluator()

    def __call__(self, task: Task) -> Done:
        """Return what becomes of a task."""
        start = time.thread_time()
        chip, case = self._resolver.chip(task.values), self._resolver.cases(task.values)[task.member]
        row = self._evaluator.row(chip, case)
        return Done(task, row, time.thread_time() - start)


def lost(task: Task, how: str) -> Done:
    """Return the end of a task over which several processes died."""
    reason = f"{MOST_DEATHS} processes {how}, perhaps for want of memory"
    return Done(task, {"status": FAILED, "reason": reason, "figures": {}}, 0.0)
