"""Gathers: rows of tables by index."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.engine.charges import charges_of
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.ops.registry import find_op
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.plan.table_split import TableSplit

TINY = ipusim.load_chip("tiny", n_tiles=24, tile_sram_bytes="256 KiB")
SPLITS = [(1, 1, 1, 1), (1, 1, 1, 5), (3, 1, 2, 4), (24, 1, 1, 1), (2, 3, 2, 2), (1, 3, 3, 2)]


def workload(table, indices, axis=0, below=None):
    whole = {"shape": list(indices), "dtype": "int32", "init": {"integers": {"below": below or table[axis]}}}
    return {
        "name": "lookup",
        "tensors": {"table": {"shape": list(table)}, "ids": whole},
        "ops": [{"op": "gather", "inputs": ["table", "ids"], "output": "y", "axis": axis}],
    }


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_gives_the_same_rows(split, monkeypatch):
    monkeypatch.setattr("ipusim.plan.gather.table_splits", lambda _problem, _n: [TableSplit(*split)])
    monkeypatch.setattr("ipusim.plan.gather._best", __import__("ipusim.plan.gather", fromlist="x")._best.__wrapped__)
    run = ipusim.simulate(workload((3, 23, 24), (5, 5), axis=1), TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.check["checked_fraction"] == 1.0
    assert run.outputs["y"].any()
    (plan,) = run.compiled.plans.values()
    assert plan.split == split


@pytest.mark.parametrize("shape", [(30522, 768), (512, 64), (8, 4096)])
def test_timing_agrees_with_the_estimate(shape):
    chip = ipusim.load_chip("bow")
    graph = build_graph(load_workload(workload(shape, (8, 128))))
    plans = plan_graph(graph, chip, PlanOptions())
    trace = time_program(lower_graph(graph, plans, chip), chip, charges_of(chip))
    terms = {}
    for step in trace.steps:
        for name, cycles in step.terms.items():
            terms[name] = terms.get(name, 0) + cycles
    (plan,) = plans.values()
    for name in ("table", "slice", "partials", "select"):
        assert terms.get(name, 0) == pytest.approx(plan.terms[name], abs=0.02 * plan.terms[name] + 40)


def test_a_dictionary_that_is_large_is_cut():
    run = ipusim.simulate(workload((30522, 768), (8, 128)), "bow", explain=False)
    (plan,) = run.compiled.plans.values()
    assert plan.split.dictionary > 1
    assert run.memory["fits"]


def test_an_index_outside_gives_zeros(tmp_path):
    np.save(tmp_path / "ids.npy", np.array([3, -1, 9, 0]))
    document = workload((9, 16), (4,))
    document["tensors"]["ids"]["init"] = {"file": str(tmp_path / "ids.npy")}
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert not run.outputs["y"][[1, 2]].any()
    assert run.outputs["y"][[0, 3]].all()


def test_reference_is_take():
    table, ids = np.random.default_rng(0).random((3, 7, 2)), np.array([[6.0, 0.0], [2.0, 2.0]])
    found = find_op("gather").reference((table, ids), {"axis": 1})
    np.testing.assert_array_equal(found, np.take(table, ids.astype(int), axis=1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"init": {"integers": {"below": 10}}}, "indices below 10, and the axis has 9"),
        ({"dtype": "float16", "init": "normal"}, "takes whole numbers here"),
        ({"init": "normal"}, "no whole numbers"),
        ({"init": {"integers": {"below": 2**24 + 1}}}, "16777216"),
    ],
)
def test_unsound_indices_are_refused(change, words):
    document = workload((9, 16), (4,))
    document["tensors"]["ids"] |= change
    with pytest.raises(ipusim.BadInputError, match=words):
        build_graph(load_workload(document))


def test_whole_numbers_are_refused_by_ops_that_compute_in_floats():
    document = workload((9, 16), (4,))
    document["ops"].append({"op": "relu", "inputs": ["ids"], "output": "z"})
    with pytest.raises(ipusim.BadInputError, match="holds whole numbers"):
        build_graph(load_workload(document))


def test_a_file_of_indices_holds_whole_numbers(tmp_path):
    np.save(tmp_path / "ids.npy", np.array([3.5, 1, 2, 0]))
    document = workload((9, 16), (4,))
    document["tensors"]["ids"]["init"] = {"file": str(tmp_path / "ids.npy")}
    with pytest.raises(ipusim.BadInputError, match="no whole numbers"):
        ipusim.simulate(document, TINY, execute=True)


def test_indices_may_be_moved_first():
    document = workload((9, 16), (4, 6))
    document["ops"] = [
        {"op": "slice", "inputs": ["ids"], "output": "some", "axis": 1, "start": 2},
        {"op": "gather", "inputs": ["table", "some"], "output": "y"},
    ]
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.outputs["y"].shape == (4, 4, 16)


def test_whole_numbers_become_floats():
    document = workload((9, 16), (4,))
    document["ops"] = [
        {"op": "cast", "inputs": ["ids"], "output": "mask", "to": "float16"},
        {"op": "one_hot", "inputs": ["ids"], "output": "hot", "depth": 9},
        {"op": "matmul", "inputs": ["hot", "table"], "output": "rows"},
        {"op": "gather", "inputs": ["table", "ids"], "output": "y"},
    ]
    document["outputs"] = ["mask", "hot", "rows", "y"]
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    np.testing.assert_array_equal(run.outputs["rows"], run.outputs["y"])
    assert run.outputs["hot"].argmax(axis=-1).tolist() == run.outputs["mask"].tolist()


def test_a_large_table_lies_evenly_on_the_tiles():
    few = ipusim.load_chip("bow", n_tiles=64)
    run = ipusim.simulate(workload((6000, 64), (1,)), few, explain=False)
    (plan,) = run.compiled.plans.values()
    even = 6000 * 64 * 2 / 64
    share = -(-6000 // plan.split.dictionary) * -(-64 // plan.split.inner) * 2
    assert share <= max(1.25 * even, few.tile_sram_bytes / 32)
    alone = ipusim.simulate(workload((600, 64), (1,)), few, explain=False)
    (small,) = alone.compiled.plans.values()
    assert small.tiles_used < plan.tiles_used  # a small table may lie where it is read soonest
