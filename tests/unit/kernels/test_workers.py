"""The thread pool: every index once, errors passed on, progress told."""

from __future__ import annotations

from threading import Lock

import pytest

from ipusim.kernels.workers import Workers, share_of


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
def test_ranges_cover_every_index_once(threads, count):
    seen, lock, told = [], Lock(), []

    def task(first: int, last: int) -> None:
        with lock:
            seen.extend(range(first, last))

    with Workers(threads) as workers:
        workers.run(task, count, told.append)
    assert sorted(seen) == list(range(count))
    assert told == sorted(told)
    assert told[-1:] == ([1.0] if count else [])


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_a_task_reaches_the_caller(threads):
    def task(first: int, _last: int) -> None:
        if first > 3:
            raise ZeroDivisionError

    with Workers(threads) as workers, pytest.raises(ZeroDivisionError):
        workers.run(task, 100)


def test_parts_tell_the_fraction_of_the_whole():
    told: list[float] = []
    last = share_of(told.append, 3, 4)
    assert last is not None
    last(0.5)
    last(1.0)
    assert told == [0.875, 1.0]
    assert share_of(None, 0, 1) is None


def test_what_was_done_can_be_done_again():
    done, launches = [], []
    with Workers(1, reports=False, launches=launches) as workers:
        workers.run(lambda first, last: done.append((first, last)), 3)
        workers.do(lambda now: now.run(lambda first, last: done.append((last, first)), 2))
        workers.run(lambda first, last: done.append((first, last)), 0)
    before = list(done)
    with Workers(1, reports=False) as others:
        for launch in launches:
            launch(others)
    assert len(launches) == 2
    assert before[-1] == (2, 0)
    assert done[len(before) :] == [(0, 3), (2, 0)]
