"""A real Dask cluster on this machine gives the same store, also when a worker is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipusim.errors import BadInputError
from ipusim.exploration.exploring import Walk, explore
from ipusim.exploration.load import load_space
from ipusim.exploration.store import Store

ROOT = Path(__file__).parents[3]
distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path):
    """Yield the address of a scheduler with two workers, and the processes of the workers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": tmp_path}
    note = tmp_path / "scheduler.json"
    run = [sys.executable, "-m", "distributed.cli"]
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*run[:2], "distributed.cli.dask_scheduler", *options, "--port", "0", "--scheduler-file", str(note)], **quiet
    )
    worker = [*run[:2], "distributed.cli.dask_worker", "--scheduler-file", str(note), "--nthreads", "1", "--no-nanny"]
    workers = [subprocess.Popen([*worker, "--no-dashboard", "--host", "127.0.0.1"], **quiet) for _ in range(2)]
    try:
        while not note.exists():
            assert scheduler.poll() is None
            time.sleep(0.05)
        with distributed.Client(scheduler_file=str(note), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
            address = client.scheduler.address
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_the_store_is_that_of_local_processes_and_a_killed_worker_costs_only_time(
    cluster, undisturbed, small, tmp_path, contents
):
    address, workers = cluster
    path = tmp_path / "store.sqlite"
    space, count = load_space(small), 0

    def progress(_text):
        nonlocal count
        count += 1
        if count == 5:
            os.kill(workers[0].pid, signal.SIGKILL)

    from ipusim.exploration.executors.cluster import Cluster

    store = Store(path)
    Walk(space, store, lambda: Cluster(space, address), progress).run()
    store.close()
    assert workers[0].poll() == -signal.SIGKILL
    assert workers[1].poll() is None
    assert contents(path) == undisturbed[1]
    explore(small, store=tmp_path / "again.sqlite", scheduler=address)
    assert contents(tmp_path / "again.sqlite") == undisturbed[1]


@pytest.mark.slow
def test_what_is_no_address_is_told(small, tmp_path):
    with pytest.raises(BadInputError, match="'nonsense' is no address of a scheduler"):
        explore(small, store=tmp_path / "store.sqlite", scheduler="nonsense")


def test_no_scheduler_is_told(small, tmp_path, monkeypatch):
    monkeypatch.setattr("ipusim.exploration.executors.cluster._TIMEOUT_S", 1)
    with pytest.raises(BadInputError, match=r"no scheduler answers at tcp://127.0.0.1:9"):
        explore(small, store=tmp_path / "store.sqlite", scheduler="tcp://127.0.0.1:9")
