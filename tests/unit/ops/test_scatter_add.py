"""Scatters: rows added to tables by index."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.engine.scattering import occurrence
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.plan.scatter import _best
from ipusim.plan.table_split import TableSplit

TINY = ipusim.load_chip("tiny", n_tiles=24, tile_sram_bytes="256 KiB")
SPLITS = [(1, 1, 1, 1), (1, 1, 1, 5), (3, 1, 2, 4), (24, 1, 1, 1), (2, 3, 2, 2), (1, 3, 3, 2)]


def workload(table, indices, axis=0, dtype="float16"):
    whole = {"shape": list(indices), "dtype": "int32", "init": {"integers": {"below": table[axis]}}}
    updates = [*table[:axis], *indices, *table[axis + 1 :]]
    return {
        "name": "update",
        "dtype": dtype,
        "tensors": {"table": {"shape": list(table)}, "rows": {"shape": updates}, "ids": whole},
        "ops": [{"op": "scatter_add", "inputs": ["table", "rows", "ids"], "output": "y", "axis": axis}],
    }


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("split", SPLITS)
def test_every_split_gives_the_sums(split, dtype, monkeypatch):
    monkeypatch.setattr("ipusim.plan.scatter.table_splits", lambda _problem, _n: [TableSplit(*split)])
    monkeypatch.setattr("ipusim.plan.scatter._best", _best.__wrapped__)
    document = workload((3, 23, 24), (5, 15), axis=1, dtype=dtype)
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.check["checked_fraction"] == 1.0
    (plan,) = run.compiled.plans.values()
    assert plan.split == split


@pytest.mark.parametrize(("shape", "lookups"), [((30522, 768), 1024), ((512, 64), 1024), ((4, 8), 40000)])
def test_timing_agrees_with_the_estimate(shape, lookups):
    chip = ipusim.load_chip("bow")
    graph = build_graph(load_workload(workload(shape, (lookups,))))
    plans = plan_graph(graph, chip, PlanOptions())
    trace = time_program(lower_graph(graph, plans, chip), chip)
    terms = {}
    for step in trace.steps:
        for name, cycles in step.terms.items():
            terms[name] = terms.get(name, 0) + cycles
    (plan,) = plans.values()
    for name in ("copy", "update", "reduce", "partials"):
        assert terms.get(name, 0) == pytest.approx(plan.terms[name], rel=0.02, abs=40)


def test_many_indices_of_a_small_table_are_cut():
    run = ipusim.simulate(workload((4, 8), (40000,)), "bow", explain=False)
    (plan,) = run.compiled.plans.values()
    assert plan.split.lookups > 1


def test_sums_are_rounded_one_after_another(tmp_path):
    """2048 + 1 + 1 is 2048 in float16, whose numbers are 2 apart there."""
    np.save(tmp_path / "ids.npy", np.zeros(2))
    document = workload((1, 4), (2,))
    document["tensors"]["ids"]["init"] = {"file": str(tmp_path / "ids.npy")}
    np.save(tmp_path / "table.npy", np.full((1, 4), 2048.0))
    document["tensors"]["table"]["init"] = {"file": str(tmp_path / "table.npy")}
    document["tensors"]["rows"]["init"] = "ones"
    run = ipusim.simulate(document, TINY, execute=True, explain=False)
    assert run.check["passed"]
    np.testing.assert_array_equal(run.outputs["y"], 2048.0)


def test_occurrences_are_counted_in_order():
    np.testing.assert_array_equal(occurrence(np.array([3, 1, 3, 3, 1, 0])), [0, 0, 1, 2, 1, 0])


def test_updates_of_another_shape_are_refused():
    document = workload((9, 16), (4,))
    document["tensors"]["rows"]["shape"] = [16, 4]
    with pytest.raises(ipusim.BadInputError, match=r"its shape must be \[4, 16\]"):
        build_graph(load_workload(document))
