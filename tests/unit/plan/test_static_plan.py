"""Static sparse matmuls of a graph: which plan they get, what it says, and what happens where there is none."""

import json
from dataclasses import replace

import numpy as np
import pytest
from static_by_hand import pattern, static_case

from ipusim.chip.load import load_chip
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.pipeline.compiling import compile_graph
from ipusim.pipeline.infeasible import explain_infeasible
from ipusim.pipeline.simulation import simulate
from ipusim.plan.dense import DensePlan
from ipusim.plan.graph import Unplannable, plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import sparse_problem
from ipusim.plan.static_estimate import CYCLES
from ipusim.plan.static_plan import StaticSparsePlan
from ipusim.plan.static_search import plan_static

BOW = load_chip("bow")
DEFAULT = PlanOptions()
PLAN_KEYS = {
    *("strategy", "partition", "vertex", "mode", "block_size", "density", "swapped", "partials", "reductions"),
    *("most_partials", "tiles_used", "estimated_cycles", "estimated_terms", "temporary_bytes", "memory_bound_bytes"),
    *("relaxed", "runners_up"),
}


def document(m=256, n=64, block_size=8, density=0.125, dtype="float16", **op):
    sparsity = {"density": density, "block_size": block_size, "mode": "static"}
    return {
        "name": "one product",
        "dtype": dtype,
        "tensors": {"w": {"shape": [m, m], "sparsity": sparsity}, "x": {"shape": [m, n]}},
        "ops": [{"op": "matmul", "name": "y", "inputs": ["w", "x"], "output": "y", "partials": dtype} | op],
        "outputs": ["y"],
    }


def planned(described, chip=BOW, options=DEFAULT):
    graph = build_graph(load_workload(described))
    return graph, plan_graph(graph, chip, options)["y"]


def test_the_plan_of_a_sparse_operand_is_that_of_the_search():
    graph, plan = planned(document())
    assert isinstance(plan, StaticSparsePlan)
    problem = sparse_problem(graph, graph.ops[0])
    split = plan_static(problem.blocks, 64, "float16", BOW)
    assert (plan.split.n_splits, plan.split.n_bands) == (split.n_splits, split.n_bands)
    assert plan.cycles == split.terms[CYCLES]
    assert plan.tiles_used == sum(layout.n_runs for layout in plan.partition.layouts[:1]) * plan.partition.n_intervals


def test_it_says_all_in_plain_values():
    said = planned(document())[1].to_dict()
    assert set(said) == PLAN_KEYS
    assert json.loads(json.dumps(said)) == said
    assert said["strategy"] == "static_sparse"
    assert said["vertex"] == "static_block"
    assert (said["mode"], said["block_size"], said["partials"]) == ("static", 8, "float16")
    assert said["density"] == pytest.approx(0.125, rel=0.01)
    assert sum(said["estimated_terms"].values()) == said["estimated_cycles"]
    assert 0 < said["temporary_bytes"] <= said["memory_bound_bytes"]
    assert not said["relaxed"]


def test_other_block_sizes_are_cut_up():
    said = planned(document(m=192, block_size=12))[1].to_dict()
    assert said["block_size"] == 4


def test_dense_matmuls_beside_it_are_planned_as_ever():
    described = document()
    described["tensors"]["v"] = {"shape": [32, 256]}
    described["ops"].append({"op": "matmul", "name": "z", "inputs": ["v", "y"], "output": "z"})
    described["outputs"] = ["z"]
    graph = build_graph(load_workload(described))
    plans = plan_graph(graph, BOW, PlanOptions())
    assert [type(plan) for plan in plans.values()] == [StaticSparsePlan, DensePlan]


def test_the_memory_bound_is_raised_only_where_that_is_allowed():
    tight = PlanOptions(available_memory_proportion=1e-3)
    _, plan = planned(document(m=1024, n=1024), options=tight)
    assert plan.relaxed
    assert plan.memory_bound_bytes > 1e-3 * BOW.tile_sram_bytes
    _, none = planned(document(m=1024, n=1024), options=replace(tight, may_relax=False))
    assert isinstance(none, Unplannable)
    assert none.reason == "memory"


def test_nothing_is_planned_that_the_chip_cannot_hold():
    small = BOW.replace(n_tiles=2)
    graph, plan = planned(document(m=1024, n=1024), chip=small)
    assert isinstance(plan, Unplannable)
    problem = sparse_problem(graph, graph.ops[0])
    assert plan.resident_bytes == problem.resident_bytes == (problem.blocks.n_values + 2 * 1024 * 1024) * 2


def test_formats_without_a_sparse_vertex_are_a_result():
    workload = load_workload(document())
    graph = build_graph(workload)
    tensors = {name: replace(tensor, dtype="float8_e4m3fnuz") for name, tensor in graph.tensors.items()}
    compiled = compile_graph(workload, load_chip("c600"), replace(graph, tensors=tensors))
    assert [plan.reason for plan in compiled.unplanned] == ["no_sparse_vertex"]
    found = explain_infeasible(compiled)
    assert found["constraint"] == "the sparse vertices of c600 cannot multiply float8_e4m3fnuz with float16 partials"
    assert found["levers"] == ["formats that they can: float16, float32"]


def test_positions_are_those_of_the_blocks_in_the_order_of_the_device():
    for transposed in (False, True):
        case = static_case(pattern("random", 7, 9, 4, seed=2), 8, BOW.replace(n_tiles=16), n_bands=3)
        plan = replace(case.plan, problem=replace(case.plan.problem, weight_transposed=transposed))
        m, k, blocks = plan.problem.m, plan.problem.k, plan.problem.blocks
        stored = np.arange(m * k).reshape(k, m).T if transposed else np.arange(m * k).reshape(m, k)
        grid = stored.reshape(m // 4, 4, k // 4, 4).transpose(0, 2, 1, 3)
        expected = grid[blocks.rows, blocks.cols][plan.partition.order]
        assert np.array_equal(plan.stored_positions(), expected.reshape(-1))


def test_sums_cover_the_depth_once_and_count_what_is_added():
    case = static_case(pattern("row", 6, 40, 4), 8, BOW.replace(n_tiles=16), n_splits=1, n_bands=3)
    sums = case.plan.sums()
    assert sorted(sums.order) == list(range(160))
    assert (sums.bounds[0], sums.bounds[-1]) == (0, 160)
    assert sums.most_sources == sum(layout.n_runs for layout in case.plan.partition.layouts)
    assert sums.most_products == 4 * sums.most_roundings == 4 * 14


def test_a_run_reports_useful_work_only():
    run = simulate(document(), explain=False)
    assert run.flops == 2 * 256 * 256 // 8 * 64
    assert run.peak_tflops == pytest.approx(348.9, abs=1)
    assert run.ops[0]["plan"]["strategy"] == "static_sparse"
    assert run.to_dict()["cycles"] == run.cycles


def test_a_product_that_is_too_large_is_infeasible_with_its_terms():
    run = simulate(document(m=1024, n=16384, block_size=16), BOW.replace(n_tiles=64))
    assert run.cycles is None
    assert run.infeasible["constraint"] == "tile_sram_bytes"
    assert run.infeasible["gap_bytes"] > 0
    assert run.infeasible["levers"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_layers_run_and_check(dtype):
    sparse = {"density": 0.25, "block_size": 4, "mode": "static"}
    described = {
        "name": "layers",
        "dtype": dtype,
        "tensors": {
            "w1": {"shape": [128, 64], "sparsity": sparse, "init": {"normal": {"scale": 0.2}}},
            "w2": {"shape": [128, 64], "sparsity": sparse | {"block_size": 1}, "init": {"normal": {"scale": 0.2}}},
            "b": {"shape": [128, 1]},
            "x": {"shape": [64, 24]},
        },
        "ops": [
            {"op": "matmul", "inputs": ["w1", "x"], "output": "h"},
            {"op": "add", "inputs": ["h", "b"], "output": "shifted"},
            {"op": "relu", "inputs": ["shifted"], "output": "a"},
            {"op": "matmul", "inputs": ["w2", "a"], "output": "y", "transpose_a": True},
        ],
        "outputs": ["y"],
    }
    run = simulate(described, "bow", execute=True, verify=True, explain=False)
    assert run.check["passed"], run.check
    assert run.check["checked_fraction"] == 1.0
    assert run.outputs["y"].shape == (64, 24)


def test_operands_that_no_offset_reaches_are_a_result():
    described = document(m=4096, n=16384, block_size=1)
    compiled = compile_graph(load_workload(described), BOW, build_graph(load_workload(described)))
    assert [plan.reason for plan in compiled.unplanned] == ["offsets"]
    found = explain_infeasible(compiled, with_levers=False)
    assert found["constraint"].startswith("the 16-bit offsets")
    assert (found["gap_bytes"], found["levers"]) == (0, [])
