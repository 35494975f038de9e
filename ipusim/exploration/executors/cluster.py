"""Simulations on a Dask cluster, through the client's ``concurrent.futures``-like interface.

The cluster looks after its workers: tasks of one that is lost go to another. A task over which several workers are
lost counts as failed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from ipusim.errors import BadInputError, Problem
from ipusim.exploration.executors.task import Done, Performer, Task, lost
from ipusim.exploration.keys import digest_of, model_key
from ipusim.exploration.space import Space

_TIMEOUT_S = 20
_ADDRESS = re.compile(r"([a-z]+://)?[^\s/]+:[0-9]+")
_MOST_AT_ONCE = 16
_ROUNDS = 8
_RETRIES = 3


class _Here(threading.local):
    """In a thread of a worker: what does the tasks of the present space."""

    name = ""
    perform: Performer


_here = _Here()


class Cluster:
    """Runs simulations on the workers of a Dask scheduler.

    Parameters
    ----------
    space : Space
    address : str
        Of the scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    BadInputError
        When there is no scheduler, no Dask, or workers have another version of ipusim.
    """

    def __init__(self, space: Space, address: str) -> None:
        self._name = digest_of((space.name, address, id(self)))
        self._client = _connect(address)
        self._check_versions(address)
        self._space = space

    def _check_versions(self, address: str) -> None:
        found = self._client.run(model_key)
        others = sorted(worker for worker, key in found.items() if key != model_key())
        if others:
            self._client.close()
            message = f"its workers have another version of ipusim than this process: {', '.join(others)}"
            raise BadInputError([Problem("--scheduler", 0, 0, "", f"{address}: {message}")])

    def run(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do all tasks; those of a batch are yielded together."""
        from distributed import KilledWorker, as_completed

        threads = max(1, sum(self._client.nthreads().values()))
        share = max(1, min(_MOST_AT_ONCE, len(tasks) // (_ROUNDS * threads)))
        batches = [list(tasks[start : start + share]) for start in range(0, len(tasks), share)]
        futures = {self._submit(batch): batch for batch in batches}
        waiting = as_completed(futures, loop=self._client.loop)
        for future in waiting:
            batch = futures.pop(future)
            try:
                yield from future.result()
            except KilledWorker:
                if len(batch) == 1:
                    yield lost(batch[0], "of the cluster were lost")
                    continue
                for task in batch:
                    again = self._submit([task])
                    futures[again] = [task]
                    waiting.add(again)

    def _submit(self, batch: list[Task]) -> Any:
        return self._client.submit(_perform, self._name, self._space, batch, pure=False, retries=_RETRIES)

    def close(self) -> None:
        """Leave the cluster; what still runs there is cancelled."""
        self._client.close()


def _perform(name: str, space: Space, tasks: list[Task]) -> list[Done]:
    """Do tasks in a thread of a worker, which keeps what those of one space share."""
    if _here.name != name:
        _here.perform = Performer(space)
        _here.name = name
    return [_here.perform(task) for task in tasks]


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        hint = "pip install 'ipusim[explore]'"
        raise BadInputError([Problem("--scheduler", 0, 0, "", "needs the package dask[distributed]", hint)]) from None
    if not _ADDRESS.fullmatch(address):
        message = f"{address!r} is no address of a scheduler"
        raise BadInputError([Problem("--scheduler", 0, 0, "", message, "such as tcp://10.0.0.1:8786")])
    try:
        return Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        message = f"no scheduler answers at {address}: {reason}"
        raise BadInputError([Problem("--scheduler", 0, 0, "", message)]) from None
