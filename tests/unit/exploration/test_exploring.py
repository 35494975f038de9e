"""Exploring small spaces: the same store whatever happens on the way."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ipusim
from ipusim.errors import BadInputError, IpusimError
from ipusim.exploration.executors import task as tasks
from ipusim.exploration.executors.processes import Processes
from ipusim.exploration.executors.task import Performer
from ipusim.exploration.exploring import Walk, explore, saved, space_key
from ipusim.exploration.load import load_space
from ipusim.exploration.store import Point, Store
from ipusim.report.explore import render_status

ROOT = Path(__file__).parents[3]


def test_counts_and_figures(undisturbed, small):
    explored, (results, points, spaces) = undisturbed
    assert len(points) == 24
    assert spaces == [(explored.key, "small")]
    counts = explored.survey.counts
    assert sum(counts.values()) == 24
    assert counts["excluded"] == 2  # 8 tiles with 40 sync cycles, 320, under both seeds
    assert counts["ok"] > 0
    # a simulation per chip and workload, the narrow one without its seed
    assert len(results) == len({key for point in points for key in point[3].split()})
    for point in explored.pareto():
        values = point["parameters"]
        chip = ipusim.load_chip(
            "tiny", n_tiles=values["n_tiles"], sync_cycles=values["sync_cycles"],
            tile_sram_bytes=values["tile_sram_bytes"],
        )  # fmt: skip
        run = ipusim.simulate(small["workloads"][0], chip, explain=False)
        assert point["workloads"]["product"]["cycles"] == run.cycles
        assert point["figures"]["cycles"] == run.cycles + 2 * point["workloads"]["wide"]["cycles"]


def test_processes_give_the_same_store(undisturbed, small, tmp_path, contents):
    explore(small, store=tmp_path / "store.sqlite", workers=2)
    assert contents(tmp_path / "store.sqlite") == undisturbed[1]


def test_a_finished_store_is_read_and_nothing_is_simulated(undisturbed, small, monkeypatch):
    path = undisturbed[0].path
    monkeypatch.setattr(
        Walk, "_perform", lambda _self, tasks, _pending: pytest.fail("simulated again") if tasks else []
    )
    again = explore(small, store=path, workers=1)
    assert again.to_dict() == undisturbed[0].to_dict()
    # another space with the same points only walks through them
    explore(
        {**small, "name": "other", "objectives": ["total_bytes"], "sampler": "grid", "seed": 3}, store=path, workers=1
    )


def test_a_larger_budget_goes_on(undisturbed, small, tmp_path, contents):
    path = tmp_path / "store.sqlite"
    assert sum(explore(small, store=path, workers=1, budget=5).survey.counts.values()) == 5
    explore(small, store=path, workers=1)
    assert contents(path) == undisturbed[1]
    assert sum(saved(small, path, budget=5).survey.counts.values()) == 5


def test_an_interrupt_keeps_what_is_finished(undisturbed, small, tmp_path, contents, monkeypatch):
    path = tmp_path / "store.sqlite"
    perform, count = Performer.__call__, 0

    def interrupted(self, task):
        nonlocal count
        count += 1
        if count == 8:
            raise KeyboardInterrupt
        return perform(self, task)

    monkeypatch.setattr(Performer, "__call__", interrupted)
    monkeypatch.setattr("ipusim.exploration.exploring._CLAIMED_PER_WORKER", 4)
    stopped = explore(small, store=path, workers=1)
    assert stopped.interrupted
    status = stopped.status()
    assert status["simulations_in_store"] == 7
    assert 2 < status["finished"] < 24  # beside the 2 that are excluded, those with all simulations
    assert stopped.survey.counts["ok"] + stopped.survey.counts["infeasible"] == status["finished"] - 2
    assert explore(small, store=path, workers=1).interrupted is False
    assert count == 8 + len(undisturbed[1][0]) - 7
    assert contents(path) == undisturbed[1]


SCRIPT = """
import json, sys
import ipusim
from ipusim.exploration.executors import task
if {pause}:
    import time
    perform = task.Performer.__call__
    task.Performer.__call__ = lambda self, each: (time.sleep({pause}), perform(self, each))[1]
ipusim.explore(json.load(open(sys.argv[1])), store=sys.argv[2], workers=int(sys.argv[3]))
"""


def test_status_tells_of_points_of_other_versions_and_settings(small, tmp_path, monkeypatch):
    path = tmp_path / "store.sqlite"
    explore(small, store=path, workers=1, budget=4)
    other = saved(small, path, sampler="grid", budget=4, settings=["parameters.sync_cycles=[10]"]).status()
    assert (other["finished"], other["points_of_other_versions"], other["points_of_other_settings"]) == (0, 0, 4)
    assert "4 points of small with other parameters" in render_status(other)
    for module in ("exploring", "result"):
        monkeypatch.setattr(f"ipusim.exploration.{module}.model_key", lambda: "another")
    newer = saved(small, path, budget=4).status()
    assert (newer["finished"], newer["points_of_other_versions"], newer["points_of_other_settings"]) == (0, 4, 0)
    assert "4 points of small from another version of ipusim" in render_status(newer)
    assert "points of another version of ipusim" in saved(small, path, budget=4).to_dict()["summary"][-1]


def start(space, path, workers, pause=0.0):
    """Start an exploration in a process group of its own."""
    description = path.with_suffix(".json")
    description.write_text(json.dumps(space))
    command = [sys.executable, "-c", SCRIPT.format(pause=pause), description, path, str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*map(str, command)], env=environment, start_new_session=True)


def wait_for_results(path, count, process):
    """Wait until a store has so many results, or its process has ended."""
    while process.poll() is None:
        if path.exists():
            connection = sqlite3.connect(path)
            try:
                if connection.execute("SELECT count(*) FROM results").fetchone()[0] >= count:
                    return
            except sqlite3.OperationalError:
                pass
            finally:
                connection.close()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_the_store_is_the_same(undisturbed, small, tmp_path, contents, workers):
    path = tmp_path / "store.sqlite"
    for count in (3, 11):
        process = start(small, path, workers, pause=0.02)
        wait_for_results(path, count, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = sqlite3.connect(path).execute("SELECT key FROM results").fetchall()
    assert 11 <= len(done) < len(undisturbed[1][0])
    process = start(small, path, workers)
    assert process.wait() == 0
    assert contents(path) == undisturbed[1]


@pytest.mark.slow
def test_two_processes_on_one_store_share_the_work(undisturbed, small, tmp_path, contents):
    path = tmp_path / "store.sqlite"
    both = [start(small, path, 1, pause=0.02) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert contents(path) == undisturbed[1]
    # timings are written by who simulated; one per result means that nothing was done twice
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM timings").fetchone()[0] == len(undisturbed[1][0])
    assert connection.execute("SELECT count(*) FROM claims").fetchone()[0] == 0


class Mortal:
    """Dies over some tasks: once over each, or always over one."""

    def __init__(self, space):
        self.perform = Performer(space)
        self.marks = Path(os.environ["IPUSIM_TEST_MARKS"])

    def __call__(self, task):
        values = task.values
        if values["sync_cycles"] == 20 and values["n_tiles"] == 4 and values["workload.wide.seed"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        mark = self.marks / task.key
        if values["sync_cycles"] == 10 and not mark.exists():
            mark.touch()
            os._exit(3)
        return self.perform(task)


def test_a_process_that_dies_costs_its_task_nothing_but_time(undisturbed, small, tmp_path, monkeypatch, contents):
    monkeypatch.setenv("IPUSIM_TEST_MARKS", str(tmp_path))
    space = load_space(small)
    path = tmp_path / "store.sqlite"
    store = Store(path)
    walk = Walk(space, store, lambda: Processes(space, 2, Mortal), lambda _text: None)
    assert walk.run() is False
    store.close()
    results, points, _ = contents(path)
    failed = [row for row in results if row[1] == "failed"]
    assert {row[2] for row in failed} == {"3 processes were ended by signal 9, perhaps for want of memory"}
    assert [row for row in results if row[1] != "failed"] == [
        row for row in undisturbed[1][0] if row[0] not in {each[0] for each in failed}
    ]
    assert sum(point[4] == "failed" for point in points) >= 1
    # the next run tries them again
    explore(small, store=path, workers=1)
    assert contents(path) == undisturbed[1]


def stillborn(_space):
    os._exit(1)


def test_processes_that_never_live_are_an_error(small, tmp_path):
    space = load_space(small)
    store = Store(tmp_path / "store.sqlite")
    with pytest.raises(IpusimError, match="die as soon as they start"):
        Walk(space, store, lambda: Processes(space, 2, stillborn), lambda _text: None).run()
    store.close()


def test_adaptive_searches_do_not_depend_on_the_number_of_processes(small, tmp_path, contents):
    pytest.importorskip("optuna")
    space = {**small, "sampler": "nsga2", "budget": 48, "seed": 5}
    for workers in (1, 2):
        explore(space, store=tmp_path / f"{workers}.sqlite", workers=workers)
    one = contents(tmp_path / "1.sqlite")
    assert one == contents(tmp_path / "2.sqlite")
    explore(space, store=tmp_path / "3.sqlite", workers=1, budget=20)
    explore(space, store=tmp_path / "3.sqlite", workers=1)
    assert contents(tmp_path / "3.sqlite") == one


def test_the_key_of_a_space_follows_its_content(small):
    key = space_key(load_space(small))
    assert space_key(load_space({**small, "name": "other", "budget": 3, "objectives": ["cycles"]})) == key
    assert space_key(load_space({**small, "constraints": []})) != key
    assert space_key(load_space({**small, "sampler": "random"})) != key
    assert space_key(load_space({**small, "parameters": {**small["parameters"], "n_tiles": [2, 4]}})) != key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers: must be at least 1, not 0"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "has workers of its own"),
        ({"sampler": "gird"}, "--sampler gird: sampler: unknown sampler 'gird' (did you mean 'grid'?)"),
        ({"store": "/nowhere/store.sqlite"}, "there is no folder '/nowhere'"),
    ],
)
def test_options_that_are_refused(small, tmp_path, options, message):
    with pytest.raises(BadInputError) as raised:
        explore(small, **{"store": tmp_path / "store.sqlite", **options})
    assert message in str(raised.value)


def test_points_that_cannot_be_are_told(tmp_path, small):
    space = {**small, "parameters": {"n_tiles": [4], "sync_cycles": [10], "sram_element_bytes": [1024, 3000]}}
    explored = explore(space, store=tmp_path / "store.sqlite", workers=1)
    assert explored.survey.counts["invalid"] == 1
    (reason,) = (reason for status, reason in explored.survey.reasons if status == "invalid")
    assert "must be a multiple of sram_element_bytes (3000)" in reason
    assert isinstance(next(Store(explored.path).points(explored.key)), Point)


def test_the_module_of_tasks_is_what_workers_import():
    assert tasks.Performer is Performer
