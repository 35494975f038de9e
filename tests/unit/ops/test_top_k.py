"""Rankings: the largest elements of rows."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.codelets import heap_top_k, reduce_max_class_gather
from ipusim.engine.charges import NONE
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions

TINY = ipusim.load_chip("tiny", n_tiles=24, tile_sram_bytes="256 KiB")


def workload(shape, **attrs):
    return {
        "name": "rank",
        "tensors": {"x": {"shape": list(shape)}},
        "ops": [{"op": "top_k", "inputs": ["x"], "output": "y", **attrs}],
    }


@pytest.mark.parametrize("output", ["values", "indices"])
@pytest.mark.parametrize(
    ("shape", "attrs"),
    [
        ((1, 900), {"k": 3}),
        ((2, 3, 200), {"k": 1}),
        ((60, 40), {"k": 40}),
        ((5, 90, 7), {"k": 4, "axis": 1, "smallest": True}),
    ],
)
def test_every_cut_ranks_like_numpy(shape, attrs, output):
    run = ipusim.simulate(workload(shape, result=output, **attrs), TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.check["checked_fraction"] == 1.0


def test_equal_elements_keep_their_order(tmp_path):
    np.save(tmp_path / "x.npy", np.resize([1.0, 3.0, 2.0, 3.0], (1, 400)))
    document = workload((1, 400), k=5, result="indices")
    document["tensors"]["x"]["init"] = {"file": str(tmp_path / "x.npy")}
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    (plan,) = run.compiled.plans.values()
    assert plan.split.reduced > 1
    np.testing.assert_array_equal(run.outputs["y"], [[1, 3, 5, 7, 9]])


@pytest.mark.parametrize(("shape", "k"), [((8, 30522), 1), ((8, 30522), 10), ((4096, 128), 4), ((1, 30522), 50)])
def test_timing_agrees_with_the_estimate(shape, k):
    chip = ipusim.load_chip("bow")
    graph = build_graph(load_workload(workload(shape, k=k)))
    plans = plan_graph(graph, chip, PlanOptions())
    trace = time_program(lower_graph(graph, plans, chip), chip, NONE)
    (plan,) = plans.values()
    terms = {name: cycles for step in trace.steps for name, cycles in step.terms.items()}
    for name in ("rank", "merge", "partials"):
        assert terms.get(name, 0) == pytest.approx(plan.terms.get(name, 0), rel=0.02)


def test_a_long_row_is_cut_and_short_ones_are_not():
    def parts(shape, k):
        (plan,) = ipusim.simulate(workload(shape, k=k), "bow", explain=False).compiled.plans.values()
        return plan.split.reduced

    assert parts((1, 30522), 1) > 16
    assert parts((1, 30522), 50) > 4
    assert parts((4096, 128), 4) == 1


def test_one_element_is_the_published_vertex():
    first = reduce_max_class_gather.vertex_cycles(600, 100, 6)
    assert heap_top_k.vertex_cycles(1, 600, 1, 6) == first + reduce_max_class_gather.vertex_cycles(6, 6, 6)


def test_more_rows_elements_or_results_take_longer():
    base = heap_top_k.vertex_cycles(6, 1000, 10, 6)
    assert heap_top_k.vertex_cycles(12, 1000, 10, 6) > base
    assert heap_top_k.vertex_cycles(6, 2000, 10, 6) > base
    assert heap_top_k.vertex_cycles(6, 1000, 20, 6) > base


def test_indices_look_up_a_table():
    document = workload((4, 50), k=1)
    document["tensors"]["table"] = {"shape": [50, 16]}
    document["ops"] = [
        {"op": "argmax", "inputs": ["x"], "output": "best"},
        {"op": "gather", "inputs": ["table", "best"], "output": "y"},
    ]
    run = ipusim.simulate(document, TINY, execute=True, verify=True, explain=False)
    assert run.check["passed"]
    assert run.outputs["y"].shape == (4, 16)


def test_more_than_there_are_is_refused():
    with pytest.raises(ipusim.BadInputError, match="fewer than 51"):
        build_graph(load_workload(workload((4, 50), k=51)))
