import json

import numpy as np
import pytest

import ipusim
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.report.profile import maps, supersteps
from ipusim.report.profile.maps import tile_maps
from ipusim.report.profile.pack import Cells, cells_of, pack, unpack
from ipusim.report.profile.supersteps import superstep_columns

LAYER = {
    "name": "layer",
    "chip": "tiny",
    "tensors": {"w": {"shape": [16, 64]}, "x": {"shape": [64, 8]}, "bias": {"shape": [16, 1]}},
    "ops": [
        {"op": "matmul", "name": "product", "inputs": ["w", "x"], "output": "p"},
        {"op": "add", "name": "shift", "inputs": ["p", "bias"], "output": "y"},
    ],
}


@pytest.fixture(scope="module")
def run():
    return ipusim.simulate(LAYER)


@pytest.fixture(scope="module")
def profile(run):
    return run.profile


def _step(name, op, count=1, cycles=(30, 20)):
    tiles = np.array(cycles, dtype=np.int64)
    return SuperstepTime(name, op, count, max(cycles), 5, 10, {}, tiles, tiles // 2, tiles * 3, tiles * 4)


@pytest.mark.parametrize("values", [[], [0], [-3, 5, 2**31 - 1], [2**40, 1]])
def test_packed_numbers_come_back(values):
    assert unpack(pack(np.array(values, dtype=np.int64))).tolist() == values


def test_many_tiles_share_cells():
    cells = cells_of(10_000)
    assert cells.tiles_per_cell == 3
    assert len(cells.largest(np.arange(10_000))) == 3334
    assert Cells(5, 2).largest(np.array([1, 7, 3, 2, 9])).tolist() == [7, 3, 9]


def test_supersteps_add_up_to_the_run(run, profile):
    steps = profile["supersteps"]
    cycles = [sum(each) for each in zip(steps["compute"], steps["sync"], steps["exchange"], strict=True)]
    assert sum(np.multiply(cycles, steps["count"])) == run.cycles
    assert sum(np.multiply(steps["bytes"], steps["count"])) == run.trace.bytes_exchanged()
    assert {len(values) for name, values in steps.items() if name not in ("loops", "merged")} == {len(run.trace.steps)}


def test_maps_hold_the_cycles_and_bytes_of_each_tile(run, profile):
    tiles = profile["tiles"]
    whole = tiles["maps"][tiles["whole"]]
    assert unpack(whole["compute"]).tolist() == run.trace.busy().tolist()
    assert unpack(whole["received"]).sum() == run.trace.bytes_exchanged()
    product = tiles["maps"][tiles["ops"]["0"]]
    assert unpack(product["compute"]).tolist() == run.trace.busy("product").tolist()


def test_memory_by_tile_is_that_of_the_memory_map(run, profile):
    memory = run.compiled.memory
    by_tile = profile["memory"]["by_tile"]
    for tile in range(4):
        assert {name: unpack(packed)[tile] for name, packed in by_tile.items()} == memory.by_category(tile)
    step = profile["memory"]["peak_step"]
    held = sum(values[step] for values in profile["memory"]["by_step"].values())
    assert held == memory.max_tile_bytes == max(profile["memory"]["largest"])
    listed = [entry[-1] for entry in profile["memory"]["contents"] if entry[2] <= step <= entry[3]]
    assert sum(listed) == held


def test_exchange_matrix_counts_what_tiles_receive(run, profile):
    matrix = np.array(profile["exchange"]["bytes"])
    received = sum(step.bytes_received * step.count for step in run.trace.steps)
    assert matrix.sum(axis=0) == pytest.approx(received, abs=2)
    assert profile["exchange"]["spread_bytes"] == 0


def test_equal_maps_are_kept_once_and_large_ones_end(monkeypatch):
    trace = Trace(2, (_step("a", "p"), _step("b", "p"), _step("c", "q", cycles=(1, 2))))
    found = tile_maps(trace, ["p", "q"], Cells(2, 1))
    assert found["steps"]["0"] == found["steps"]["1"]
    assert found["ops"]["1"] == found["steps"]["2"]
    assert unpack(found["maps"][found["whole"]]["compute"]).tolist() == [61, 42]
    monkeypatch.setattr(maps, "MOST_CHARACTERS", 1)
    assert tile_maps(trace, ["p", "q"], Cells(2, 1))["steps"] == {}


def test_very_many_supersteps_are_one_row_per_operator(monkeypatch):
    trace = Trace(2, (_step("a", "p", 3), _step("b", "p", 3), _step("c", "q", 2)))
    monkeypatch.setattr(supersteps, "MOST_SUPERSTEPS", 2)
    found = superstep_columns(trace, [(0, 2, 3)], ["p", "q"])
    assert found["name"] == ["p, 6 supersteps", "c"]
    assert (found["count"], found["compute"], found["loops"], found["merged"]) == ([1, 2], [180, 30], [], True)


def test_profile_is_plain_and_only_there_if_asked_for(run, profile):
    assert json.loads(json.dumps(profile, allow_nan=False)) == profile
    assert "profile" not in run.to_dict()
    assert run.to_dict(profile=True)["profile"] == profile
