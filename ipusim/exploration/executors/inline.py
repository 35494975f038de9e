"""Simulations in this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ipusim.exploration.executors.task import Done, Performer, Task
from ipusim.exploration.space import Space


class Inline:
    """Runs everything in this process."""

    def __init__(self, space: Space) -> None:
        self._perform = Performer(space)

    def run(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do all tasks in their order."""
        return map(self._perform, tasks)

    def close(self) -> None:
        """There is nothing to stop."""
