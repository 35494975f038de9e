"""``explore``: from a space to finished points in a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ipusim.errors import BadInputError, IpusimError, Problem
from ipusim.exploration.executors.task import Executor, Task
from ipusim.exploration.judging import Judge
from ipusim.exploration.keys import digest_of, model_key
from ipusim.exploration.load import SpaceLike, load_space
from ipusim.exploration.order import SharingOrder
from ipusim.exploration.pending import Pending
from ipusim.exploration.resolving import Resolver, reason_of, result_keys
from ipusim.exploration.result import Exploration
from ipusim.exploration.samplers.registry import find_sampler
from ipusim.exploration.space import Space
from ipusim.exploration.statuses import EXCLUDED, INVALID, OK
from ipusim.exploration.store import NO_RESULTS, Point, Store
from ipusim.exploration.stored import Inspector
from ipusim.exploration.waiting import wait_for_others
from ipusim.files.wording import FieldError
from ipusim.pipeline.processes import default_workers

Progress = Callable[[str], None]

_CLAIMED_PER_WORKER = 64
"""Simulations that are claimed at once, so that others on the same file get their part of a generation."""

_CLAIMED_AT_ONCE = 4096


def explore(
    space: SpaceLike,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    sampler: str | None = None,
    seed: int | None = None,
    budget: int | None = None,
    settings: Sequence[str] = (),
    progress: Progress | None = None,
) -> Exploration:
    """Explore a space of chips and workloads.

    Parameters
    ----------
    space : str, Path, Mapping or Space
        A packaged name such as ``tile-count``, a file, or its content.
    store : str or Path, optional
        The SQLite file of the results; ``NAME.sqlite`` in the working directory by default. What is in it already is
        not simulated again, whoever put it there.
    workers : int, optional
        Processes; by default as many as there are processor cores. The result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers are used instead.
    sampler, seed, budget : optional
        Instead of those of the space.
    settings : sequence of str
        Changes of the space file, such as ``parameters.n_tiles=[64, 128]``.
    progress : callable, optional
        Called with a short text now and then.

    Returns
    -------
    Exploration
        If it is interrupted (Ctrl-C), with the points that were finished; call again to go on.

    Raises
    ------
    BadInputError
        With every problem of the space and of the options.
    """
    problems = []
    if workers is not None and workers < 1:
        problems.append(Problem("--workers", 0, 0, "", f"must be at least 1, not {workers}"))
    if workers is not None and scheduler is not None:
        problems.append(Problem("--scheduler", 0, 0, "", "has workers of its own: leave --workers out"))
    try:
        loaded = load_space(space, settings, sampler=sampler, seed=seed, budget=budget)
    except BadInputError as error:
        raise BadInputError([*problems, *error.problems]) from None
    if problems:
        raise BadInputError(problems)
    path = Path(store) if store is not None else Path(f"{loaded.name}.sqlite")
    n_workers = workers or default_workers()
    claimed = _CLAIMED_PER_WORKER * n_workers if scheduler is None else _CLAIMED_AT_ONCE
    with closing(Store(path)) as opened:
        say = progress or (lambda _text: None)
        walk = Walk(loaded, opened, lambda: _executor(loaded, n_workers, scheduler), say, claimed)
        interrupted = walk.run()
    return Exploration(loaded, path, walk.key, interrupted)


def saved(
    space: SpaceLike, store: str | Path | None = None, settings: Sequence[str] = (), **changes: Any
) -> Exploration:
    """Return what is known of a space without simulating anything; see :func:`explore`."""
    loaded = load_space(space, settings, **changes)
    path = Path(store) if store is not None else Path(f"{loaded.name}.sqlite")
    if not path.is_file():
        raise BadInputError([Problem(str(path), 0, 0, "", NO_RESULTS, "explore the space first")])
    return Exploration(loaded, path, space_key(loaded), interrupted=False)


def space_key(space: Space) -> str:
    """Return a digest of everything that decides which points a space has, and in which order.

    The budget does not: a larger one goes on where a smaller one ended. Objectives and constraints on figures do where
    the sampler learns from them.
    """
    learns = find_sampler(space.sampler).learns
    members = [(member.label, member.weight, member.workload.model_dump(mode="json")) for member in space.members]
    parameters = [
        (each.name, each.target, each.domain, each.expression and each.expression.text, each.step)
        for each in (*space.parameters, *space.derived)
    ]
    constraints = space.constraints if learns else space.input_constraints
    return digest_of(
        (
            model_key(),
            [(name, chip.content_key()) for name, chip in space.chips.items()],
            members,
            parameters,
            [each.text for each in constraints],
            [each.text for each in space.objectives] if learns else (),
            space.sampler,
            space.seed if space.sampler != "grid" else 0,
        )
    )


def _executor(space: Space, n_workers: int, scheduler: str | None) -> Executor:
    if scheduler is not None:
        from ipusim.exploration.executors.cluster import Cluster

        return Cluster(space, scheduler)
    if n_workers == 1:
        from ipusim.exploration.executors.inline import Inline

        return Inline(space)
    from ipusim.exploration.executors.processes import Processes

    return Processes(space, n_workers)


class Walk:
    """Walks through the points of a space, generation by generation.

    Parameters
    ----------
    space : Space
    store : Store
    start : callable
        Returns the executor; called when there is something to simulate.
    progress : callable
    claimed : int
        Simulations that are claimed at once.

    Attributes
    ----------
    key : str
        Key of the space in the store.
    """

    def __init__(
        self,
        space: Space,
        store: Store,
        start: Callable[[], Executor],
        progress: Progress,
        claimed: int = _CLAIMED_AT_ONCE,
    ) -> None:
        self.key = space_key(space)
        self._space = space
        self._store = store
        self._start = start
        self._say = progress
        self._claimed = claimed
        self._executor: Executor | None = None
        self._resolver = Resolver(space)
        self._judge = Judge(space, self._resolver)
        self._inspector = Inspector(space, store)
        self._order = SharingOrder(space, self._resolver)
        self._n_simulated = 0
        self._position = 0

    def run(self) -> bool:
        """Finish every point; return whether the user interrupted it."""
        sampler = find_sampler(self._space.sampler)
        self._store.add_space(self.key, self._space.name, model_key())
        self._store.forget_failures(self.key)
        search = sampler.start(self._space)
        try:
            for generation in search.generations():
                points = self._generation(generation, sampler.learns)
                if sampler.learns:
                    rows = self._inspector.rows(points)
                    search.tell([self._judge.verdict(point, rows).judged(self._space) for point in points])
                self._position += len(generation)
        except KeyboardInterrupt:
            return True
        finally:
            if self._executor is not None:
                self._executor.close()
        return False

    def _generation(self, generation: Sequence[Mapping[str, Any]], learns: bool) -> list[Point]:
        """Return the finished points of a generation (nothing where all were known and nobody learns from them)."""
        count = len(generation)
        if not learns and self._store.n_points(self.key, self._position, count) == count:
            return []
        known = {point.position: point for point in self._store.points(self.key, self._position, count)}
        points: dict[int, Point] = {}
        open_points: list[Point] = []
        for position, chosen in enumerate(generation, self._position):
            point = known.get(position)
            if point is not None and all(point.values.get(name) == _plain(value) for name, value in chosen.items()):
                points[position] = point
                continue
            point = self._resolve(position, chosen)
            if point.status == OK:
                open_points.append(point)
            else:
                points[position] = point
        self._store.put_points(self.key, [point for point in points.values() if known.get(point.position) != point])
        points |= {point.position: point for point in self._finish(open_points)}
        return [points[position] for position in sorted(points)]

    def _resolve(self, position: int, chosen: Mapping[str, Any]) -> Point:
        """Return a point that is still to be simulated, or why it is not."""
        values = dict(chosen)
        try:
            values = self._space.complete(chosen)
            chip = self._resolver.chip(values)
            excluded = self._space.excluded_by(values, chip)
            if excluded is not None:
                return Point(position, values, (), EXCLUDED, f"not {excluded.text}")
            keys = result_keys(chip, self._resolver.cases(values))
        except FieldError as error:
            return Point(position, values, (), INVALID, error.message)
        except BadInputError as error:
            return Point(position, values, (), INVALID, reason_of(error))
        return Point(position, values, keys, OK, "")

    def _finish(self, points: Sequence[Point]) -> list[Point]:
        """Return some points with what their simulations came to; those that are not in the store are done now.

        A point is kept as soon as all its simulations are there.
        """
        tasks = {key: Task(key, point.values, member) for point in points for member, key in enumerate(point.keys)}
        pending = Pending(points)
        finished = self._settled(pending)
        theirs: set[str] = set()
        parts = self._order([tasks[key] for key in pending.keys], self._claimed) if pending.keys else []
        for part in parts:
            mine, others = self._store.claim([task.key for task in part])
            theirs |= others
            finished += self._perform([task for task in part if task.key in mine], pending)
        while theirs:
            self._say(f"waiting for {len(theirs)} points of another process")
            mine, theirs = wait_for_others(self._store, theirs)
            finished += self._perform([task for part in parts for task in part if task.key in mine], pending)
        finished += self._settled(pending)
        if pending.keys:
            raise IpusimError("the results of a point are missing from the store: was the file changed?")
        return finished

    def _settled(self, pending: Pending) -> list[Point]:
        """Return the points whose simulations are in the store, and keep them."""
        found = pending.arrived(self._store.rows(pending.keys))
        self._store.put_points(self.key, found)
        return found

    def _perform(self, tasks: list[Task], pending: Pending) -> list[Point]:
        """Do tasks, keep each result, and each point that is finished with it, as soon as it is there."""
        if not tasks:
            return []
        if self._executor is None:
            self._executor = self._start()
        finished = []
        for done in self._executor.run(tasks):
            found = pending.arrived({done.task.key: done.row})
            self._store.put([(done.task.key, done.row, done.seconds)], self.key, found)
            finished += found
            self._n_simulated += 1
            self._say(f"{self._n_simulated} simulated, {self._position} points finished before")
        return finished


def _plain(value: Any) -> Any:
    """Return a value as it comes back from the store."""
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
