"""The order in which simulations are done: those that can share a program follow one another."""

from __future__ import annotations

from ipusim.exploration.executors.task import Task
from ipusim.exploration.reads import TracedChip
from ipusim.exploration.resolving import Resolver
from ipusim.exploration.space import Space
from ipusim.pipeline.compiling import compile_graph
from ipusim.plan.cache import not_written


class SharingOrder:
    """Puts simulations by the parameters that programs depend on, else as they were; in parts, each by workload.

    So those of one program follow one another, and after each part its points are finished in all workloads.

    Which parameters these are is found out by compiling the first simulation.
    """

    def __init__(self, space: Space, resolver: Resolver) -> None:
        self._space = space
        self._resolver = resolver
        self._names: tuple[str, ...] | None = None

    def __call__(self, tasks: list[Task], most: int) -> list[list[Task]]:
        """Return tasks in the order in which they are best done, in parts of at most so many."""
        if self._names is None:
            self._names = self._shaping(tasks[0])
        names = self._names
        ordered = sorted(tasks, key=lambda task: repr([task.values[name] for name in names]))
        parts = (ordered[start : start + most] for start in range(0, len(ordered), most))
        return [sorted(part, key=lambda task: task.member) for part in parts]

    def _shaping(self, task: Task) -> tuple[str, ...]:
        """Return the parameters that the program of a simulation depends on."""
        chip = TracedChip.of(self._resolver.chip(task.values))
        case = self._resolver.cases(task.values)[task.member]
        try:
            with not_written():
                compile_graph(case.workload, chip, case.graph, runners_up=0)
        except Exception:
            return ()  # this simulation will say what is wrong when its turn comes
        reads = chip.reads
        every = (*self._space.parameters, *self._space.derived)
        return tuple(each.name for each in every if each.target.kind != "chip" or each.target.parts[0] in reads)
