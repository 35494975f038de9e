from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from dynamic_by_hand import dynamic_document
from static_by_hand import Layout

from ipusim.chip.load import load_chip
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.plan.dynamic_placing import declared_density, dynamic_options
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_shortage import BucketShortage
from ipusim.plan.dynamic_sparse import DynamicSparsePlan, plan_dynamic_sparse
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import sparse_problem
from ipusim.sparse.blocks import blocks_to_dense

BOW = load_chip("bow")


def problem_for(shape, n, block_size, dtype="float16", partials=None, layout=None, **sparsity):
    described = dynamic_document(shape, n, block_size, dtype, partials, layout or Layout(), **sparsity)
    graph = build_graph(load_workload(described))
    return sparse_problem(graph, graph.ops[0])


def test_a_plan_is_that_of_the_search():
    problem = problem_for((256, 512), 64, 8, "float16", density="1/8")
    plan = plan_dynamic_sparse(problem, BOW, PlanOptions())
    expected = plan_dynamic(256, 512, 64, 8, 1 / 8, "float16", BOW, DynamicOptions(partials="float16"))
    assert isinstance(plan, DynamicSparsePlan)
    assert plan.plan == expected
    assert plan.tiles_used == expected.n_tiles_used
    assert plan.cycles == sum(expected.forward[:-1])
    document = plan.to_dict()
    assert document["partition"] == {"p_m": expected.p_m, "p_k": expected.p_k, "p_n": expected.p_n}
    assert sum(document["estimated_terms"].values()) == document["estimated_cycles"] == plan.cycles
    assert document["pass"] == "forward"


def test_the_transposed_pass_is_planned_with_the_forward_one():
    problem = problem_for((256, 512), 64, 8, layout=Layout(transpose_a=True), density="1/8")
    plan = plan_dynamic_sparse(problem, BOW, PlanOptions(), transposed=True)
    # the product sees W[256, 512]; its transpose is what is laid out
    expected = plan_dynamic(512, 256, 64, 8, 1 / 8, "float16", BOW, DynamicOptions(partials="float16"))
    assert plan.plan == expected
    assert plan.cycles == sum(expected.grad_a[:-1])
    assert plan.to_dict()["partition"] == {"p_m": expected.p_k, "p_k": expected.p_m, "p_n": expected.p_n}
    assert not plan.stored_transposed


def test_equal_plans_share_a_placement():
    problem = problem_for((64, 64), 16, 4, density="1/4")
    placements = {}
    first = plan_dynamic_sparse(problem, BOW, PlanOptions(), placements=placements)
    again = plan_dynamic_sparse(problem, BOW, PlanOptions(), placements=placements)
    assert first.placement is again.placement
    wider = plan_dynamic_sparse(replace(problem, n=512), BOW, PlanOptions(), placements=placements)
    assert wider.placement is not first.placement


@pytest.mark.parametrize("on_left", [True, False])
@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("block_size", [1, 4])
def test_places_of_the_buckets_are_those_of_the_tensor(on_left, flag, transposed, block_size):
    layout = Layout(on_left, flag, False) if on_left else Layout(on_left, False, flag)
    problem = problem_for((24, 40), 8, block_size, layout=layout, density="1/2")
    plan = plan_dynamic_sparse(problem, BOW, PlanOptions(), transposed=transposed)
    index = plan.value_index()
    assert index.shape == (plan.tiles_used, plan.plan.bucket_groups, block_size, block_size)
    ones = blocks_to_dense(problem.blocks)
    stored = ones.T if problem.weight_transposed else ones
    assert np.array_equal(np.sort(index[index >= 0]), np.flatnonzero(stored))
    # the elements of a block stand side by side in the orientation that is laid out
    first = index[index[:, :, 0, 0] >= 0][0]
    step = stored.shape[1] if not plan.stored_transposed else 1
    assert (np.diff(first, axis=0) == step).all()


@pytest.mark.parametrize(
    ("partials", "dtype", "block_size", "expected"),
    [
        ("float16", "float16", 4, "float16"),
        ("float16", "float16", 1, "float32"),
        ("float32", "float16", 4, "float32"),
        ("float32", "float32", 4, "float32"),
    ],
)
def test_partials_are_those_that_vertices_have(partials, dtype, block_size, expected):
    problem = problem_for((32, 32), 8, block_size, dtype, partials, density="1/2")
    assert dynamic_options(problem, PlanOptions()).partials == expected
    assert plan_dynamic_sparse(problem, BOW, PlanOptions()).partials_format == expected


def test_options_are_the_workload_s():
    options = dynamic_options(problem_for((32, 32), 8, 4, density="1/2", oversize=1.5), PlanOptions(0.25))
    assert (options.oversize, options.available_memory_proportion) == (1.5, 0.25)


def test_declared_density_is_in_whole_blocks_of_the_user():
    # 12 x 12 blocks of 8 at 1/7: 21 blocks, also where the device has four blocks of 4
    problem = problem_for((96, 96), 8, 12, density="1/7")
    assert problem.blocks.block_size == 4
    assert declared_density(problem) == Fraction(10, 64)
    assert problem.blocks.n_blocks == 90
    plan = plan_dynamic_sparse(problem, BOW, PlanOptions())
    assert plan.plan.problem.non_zero_groups == 90


def test_a_file_has_room_for_what_it_holds_unless_less_is_declared(tmp_path):
    matrix = scipy.sparse.random_array((64, 64), density=0.2, rng=np.random.default_rng(0), format="csr")
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    for block_size in (1, 8):
        problem = problem_for((64, 64), 8, block_size, pattern={"file": str(tmp_path / "w.npz")}, density=None)
        assert declared_density(problem) == Fraction(problem.blocks.n_values, 64 * 64)
        assert isinstance(plan_dynamic_sparse(problem, BOW, PlanOptions()), DynamicSparsePlan)
    problem = problem_for((64, 64), 8, 1, pattern={"file": str(tmp_path / "w.npz")}, density=0.1)
    shortage = plan_dynamic_sparse(problem, BOW, PlanOptions())
    assert isinstance(shortage, BucketShortage)
    assert (shortage.kind, shortage.demand_bytes, shortage.capacity_bytes) == ("declared", 2 * matrix.nnz, 2 * 410)


def test_a_pattern_that_does_not_fit_says_which_bucket():
    pattern = {"n_m": {"n": 1, "m": 8}}
    problem = problem_for((256, 256), 4, 1, density="1/8", pattern=pattern, oversize=0)
    shortage = plan_dynamic_sparse(problem, BOW, PlanOptions())
    assert shortage.kind == "overflow"
    assert shortage.constraint.startswith("bucket of w: ")
    assert shortage.demand_bytes > shortage.capacity_bytes
    roomy = problem_for((256, 256), 4, 1, density="1/8", pattern=pattern, oversize=0.5)
    assert isinstance(plan_dynamic_sparse(roomy, BOW, PlanOptions()), DynamicSparsePlan)


def test_offsets_that_do_not_reach():
    problem = replace(problem_for((64, 64), 8, 1, density="1/8"), k=8192, m=8192, n=16384)
    shortage = plan_dynamic_sparse(problem, BOW, PlanOptions())
    assert shortage.kind == "reach"
    assert shortage.demand_bytes > shortage.capacity_bytes == 65535


def test_a_bound_that_must_not_be_relaxed():
    problem = problem_for((512, 512), 512, 4, density="1/2")
    assert plan_dynamic_sparse(problem, BOW, PlanOptions(0.001)).plan.relaxed
    assert plan_dynamic_sparse(problem, BOW, PlanOptions(0.001, may_relax=False)) is None


def test_sub_groups_longer_than_their_words_can_say():
    one = BOW.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
    problem = problem_for((512, 512), 4, 1, density="1/2")
    shortage = plan_dynamic_sparse(problem, one, PlanOptions())
    assert shortage.kind == "reach"
    assert shortage.demand_bytes == 9 + 6 * 5 + 2 * 512 + 512 * 512 // 2
    assert shortage.capacity_bytes == 65535
    shorter = problem_for((512, 128), 4, 1, density="1/2")
    assert isinstance(plan_dynamic_sparse(shorter, one, PlanOptions()), DynamicSparsePlan)
