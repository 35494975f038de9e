"""How many processes a sweep starts, and how."""

import signal
import threading
from types import SimpleNamespace

import pytest

from ipusim.pipeline import processes


@pytest.mark.parametrize(("gib", "cores", "workers"), [(64, 8, 8), (3.5, 8, 3), (0.2, 8, 1), (64, 1, 1)])
def test_as_many_as_cores_and_memory_allow(monkeypatch, gib, cores, workers):
    monkeypatch.setattr(processes, "virtual_memory", lambda: SimpleNamespace(available=int(gib * 2**30)))
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _pid: set(range(cores)), raising=False)
    assert processes.default_workers() == workers


def test_where_there_is_no_affinity_all_cores_count(monkeypatch):
    monkeypatch.setattr(processes, "virtual_memory", lambda: SimpleNamespace(available=2**40))
    monkeypatch.delattr(processes.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: None)
    assert processes.default_workers() == 1


def test_a_process_with_threads_is_not_copied(monkeypatch):
    monkeypatch.setattr(processes.sys, "platform", "linux")
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    assert processes.process_context().get_start_method() == "fork"
    monkeypatch.setattr(processes.threading, "active_count", lambda: 2)
    assert processes.process_context().get_start_method() == "spawn"
    monkeypatch.setattr(processes.sys, "platform", "darwin")
    monkeypatch.setattr(processes.threading, "active_count", lambda: 1)
    assert processes.process_context().get_start_method() == "spawn"


def test_interrupts_are_ignored_only_meanwhile():
    before = signal.getsignal(signal.SIGINT)
    with processes.interrupts_ignored():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_signals_alone():
    seen = []

    def run():
        with processes.interrupts_ignored():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
