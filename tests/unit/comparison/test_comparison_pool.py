import os
import signal
import time
from types import SimpleNamespace

import pytest

from ipusim.cli.signals import termination_as_interrupt
from ipusim.comparison.pool import Work, _Queue, perform_all
from ipusim.errors import IpusimError
from ipusim.pipeline.processes import default_workers


def _square(number):
    return number * number, os.getpid()


def _die_at_three(number):
    if number == 3:
        os._exit(7)
    return number * number, os.getpid()


def _killed(_number):
    os.kill(os.getpid(), signal.SIGKILL)


def _interrupt_parent_at_three(number):
    if number == 3:
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)
    return number * number, os.getpid()


def _interrupt_at_three(number):
    if number == 3:
        raise KeyboardInterrupt
    return number * number, os.getpid()


def _work(perform, n_tasks=12, key=lambda number: number % 4, done=lambda _index: None):
    return Work(range(n_tasks), key, perform, lambda number, code: (f"lost {number} {code}", None), done)


@pytest.mark.parametrize("n_workers", [1, 2, 5, 50])
def test_results_are_in_order(n_workers):
    finished = []
    results, interrupted = perform_all(_work(_square, done=finished.append), n_workers)
    assert [value for value, _ in results] == [number * number for number in range(12)]
    assert sorted(finished) == list(range(12))
    assert not interrupted


def test_processes_end_without_a_word(capfd):
    with termination_as_interrupt():
        perform_all(_work(_square), 2)
    assert capfd.readouterr() == ("", "")


def test_one_worker_is_this_process():
    assert {process for _, process in perform_all(_work(_square), 1)[0]} == {os.getpid()}


def test_several_workers_are_others():
    processes = {process for _, process in perform_all(_work(_square, n_tasks=200), 2)[0]}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


def test_nothing_to_do():
    assert perform_all(_work(_square, n_tasks=0), 3) == ([], False)


def test_a_process_that_dies_takes_one_task_along():
    results, interrupted = perform_all(_work(_die_at_three), 2)
    assert [value for value, _ in results] == [number * number if number != 3 else "lost 3 7" for number in range(12)]
    assert not interrupted


def test_a_signal_is_a_negative_code():
    results, _ = perform_all(_work(_killed, n_tasks=2), 2)
    assert results == [("lost 0 -9", None), ("lost 1 -9", None)]


def test_processes_that_all_die_end_the_work():
    with pytest.raises(IpusimError, match="processes die as soon as they start; --workers 1"):
        perform_all(_work(_killed, n_tasks=50), 2)


def test_an_interrupt_keeps_what_is_finished():
    results, interrupted = perform_all(_work(_interrupt_at_three), 1)
    assert interrupted
    assert [each and each[0] for each in results] == [0, 1, 4, *[None] * 9]


def test_an_interrupt_ends_the_processes():
    results, interrupted = perform_all(_work(_interrupt_parent_at_three, key=lambda _number: 0), 2)
    assert interrupted
    assert results[3] is None
    assert {each[0] for each in results if each} <= {number * number for number in range(12)}


def test_errors_of_the_observer_end_the_processes():
    def fail(_index):
        raise RuntimeError("observer")

    with pytest.raises(RuntimeError, match="observer"):
        perform_all(_work(_square, done=fail), 2)


def test_tasks_of_one_key_stay_together():
    queue = _Queue(["a", "a", "b", "a", "b", "b"])
    assert queue.take(None) == (0, "a")
    assert queue.take(None) == (2, "b")
    assert queue.take("a") == (1, "a")
    assert queue.take("b") == (4, "b")
    assert queue.take("a") == (3, "a")
    assert queue.take("a") == (5, "b")
    assert queue.take("a") is None


def test_the_longest_queue_is_helped_first():
    queue = _Queue(["a", "b", "b", "b", "a"])
    assert [queue.take(None) for _ in range(3)] == [(0, "a"), (1, "b"), (2, "b")]


@pytest.mark.parametrize(("available", "most"), [(0, 1), (3 * 2**30, 3), (2**50, os.cpu_count())])
def test_no_more_processes_than_cores_and_memory(monkeypatch, available, most):
    monkeypatch.setattr("ipusim.pipeline.processes.virtual_memory", lambda: SimpleNamespace(available=available))
    assert 1 <= default_workers() <= most


def test_with_other_threads_processes_are_started_afresh(monkeypatch):
    monkeypatch.setattr("ipusim.pipeline.processes.threading.active_count", lambda: 2)
    results, _ = perform_all(_work(_square, n_tasks=4), 2)
    assert [value for value, _ in results] == [0, 1, 4, 9]
    assert os.getpid() not in {process for _, process in results}
