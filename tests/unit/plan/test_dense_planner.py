"""The dense planner against brute force, its options, and the plans it is known to choose."""

import json
from itertools import product as every

import numpy as np
import pytest
from handmade import FORMATS, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.kernels.jit import compiled
from ipusim.plan import dense
from ipusim.plan.best_rows import best_rows
from ipusim.plan.dense import machine_of, oriented, plan_matmul, product_of, resident_bytes, variants_of
from ipusim.plan.dense_estimate import AMP_1X1, AMP_NX1, HMAC, OUTER_PRODUCT, Split, Variant, estimate, total_cycles
from ipusim.plan.dense_search import cuts, distinct_splits, search
from ipusim.plan.plan_table import COLUMNS, UNBOUNDED
from ipusim.plan.problem import MatMulProblem, PlanOptions

TINY = load_chip("tiny")
PAIRS = load_chip("tiny", n_tiles=8, tiles_per_exchange_bus=2, exchange_bus_sharing=True, tile_sram_bytes="4 KiB",
                  interleaved_sram_bytes=0)  # fmt: skip
BOW = load_chip("bow")


def _smallest(parts, extent):
    """Tell whether no fewer parts have the same largest part."""
    return parts == 1 or ceil_div(extent, parts - 1) > ceil_div(extent, parts)


def _every_plan(problem, chip):
    """Yield cycles and temporary bytes of every plan, tried one by one."""
    machine = machine_of(chip)
    tiles = range(1, chip.n_tiles + 1)
    for variant in variants_of(problem, chip):
        work = oriented(product_of(problem), variant)
        inner, outer = ceil_div(work.inner, variant.inner_channels), ceil_div(work.outer, variant.outer_channels)
        for p_groups, p_rows, p_inner, p_outer in every(tiles, tiles, tiles, tiles):
            if p_groups * p_rows * p_inner * p_outer > chip.n_tiles:
                continue
            if p_groups > work.groups or p_rows > work.rows:
                continue
            if not (_smallest(p_groups, work.groups) and _smallest(p_rows, work.rows)):
                continue
            for s_inner, s_outer in every(range(1, inner // p_inner + 1), range(1, outer // p_outer + 1)):
                if min(s_inner, s_outer) > 1:
                    continue
                if not (_smallest(p_inner * s_inner, inner) and _smallest(p_outer * s_outer, outer)):
                    continue
                for broadcast in (0, 1) if s_outer > 1 else (0,):
                    split = Split(p_groups, p_rows, p_inner, p_outer, s_inner, s_outer, broadcast)
                    terms = estimate(machine, work, variant, split)
                    yield total_cycles(terms), terms.temporary_bytes


problems = st.builds(
    lambda groups, m, k, n, formats: MatMulProblem(groups, m, k, n, *formats, formats[0]),
    st.sampled_from((1, 1, 2, 3)),
    st.integers(1, 14),
    st.integers(1, 40),
    st.integers(1, 14),
    st.sampled_from(FORMATS),
)


@given(problems, st.sampled_from((TINY, PAIRS)), st.sampled_from((0.6, 0.1, 0.03)))
@settings(max_examples=60, deadline=None)
def test_the_plan_is_the_best_of_all(problem, chip, proportion):
    plan = plan_matmul(problem, chip, PlanOptions(proportion, runners_up=2))
    plans = sorted(_every_plan(problem, chip))
    within = [found for found in plans if found[1] <= plan.memory_bound_bytes]
    found = [(one.cycles, one.estimate.temporary_bytes) for one in (plan, *plan.runners_up)]
    assert found == within[:3]
    # The bound is raised only where nothing keeps it, and no further than needed.
    limit = int(proportion * chip.tile_sram_bytes)
    assert plan.relaxed == all(temporary > limit for _, temporary in plans)
    if plan.relaxed and plan.memory_bound_bytes < UNBOUNDED:
        assert all(temporary > plan.memory_bound_bytes // 2 for _, temporary in plans)


@given(problems)
@settings(max_examples=20, deadline=None)
def test_the_search_runs_the_same_interpreted_and_compiled(problem):
    machine, product = machine_of(TINY), product_of(problem)
    variants = np.array(variants_of(problem, TINY), dtype=np.int64)
    tables = [np.full((4, COLUMNS), UNBOUNDED, dtype=np.int64) for _ in range(2)]
    search(machine, product, variants, 1 << 14, tables[0])
    compiled(search)(machine, product, variants, 1 << 14, tables[1])
    assert np.array_equal(*tables)


@given(st.integers(1, 300), st.integers(1, 300))
def test_distinct_splits_are_the_smallest_with_their_largest_part(extent, limit):
    expected = [parts for parts in range(1, min(extent, limit) + 1) if _smallest(parts, extent)]
    assert distinct_splits(extent, limit).tolist() == expected


@given(st.integers(1, 120), st.integers(1, 150))
def test_cuts_are_all_pairs_whose_product_is_a_distinct_split(extent, limit):
    totals = set(distinct_splits(extent, extent).tolist())
    expected = [
        [parallel, serial]
        for parallel in range(1, min(extent, limit) + 1)
        for serial in range(1, extent + 1)
        if parallel * serial in totals
    ]
    found = cuts(extent, limit).tolist()
    assert sorted(found) == expected
    assert [parallel for parallel, _ in found] == sorted(parallel for parallel, _ in found)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [problem_of(1024, 1024, 4096), problem_of(777, 1234, 345, "float32")])
def test_a_tighter_memory_bound_is_never_faster(problem):
    plans = [plan_matmul(problem, BOW, PlanOptions(proportion)) for proportion in (0.9, 0.6, 0.3, 0.1)]
    assert [plan.cycles for plan in plans] == sorted(plan.cycles for plan in plans)
    for plan, proportion in zip(plans, (0.9, 0.6, 0.3, 0.1), strict=True):
        assert not plan.relaxed
        assert plan.memory_bound_bytes == int(proportion * BOW.tile_sram_bytes)
        assert plan.estimate.temporary_bytes <= plan.memory_bound_bytes


def test_a_bound_that_nothing_meets_is_raised_unless_forbidden():
    problem = problem_of(64, 64, 64)
    small = PlanOptions(0.001)
    plan = plan_matmul(problem, TINY, small)
    assert plan.relaxed
    assert plan.memory_bound_bytes > 0.001 * TINY.tile_sram_bytes
    assert plan_matmul(problem, TINY, PlanOptions(0.001, may_relax=False)) is None


def test_what_is_larger_than_the_chip_has_no_plan():
    problem = problem_of(65536, 65536, 65536)
    assert resident_bytes(product_of(problem)) == 3 * 2 * 65536**2 > BOW.n_tiles * BOW.tile_sram_bytes
    assert plan_matmul(problem, BOW) is None


@pytest.mark.parametrize(
    ("m", "k", "n", "dtype"),
    [(65536, 1024, 512, "float16"), (512, 65536, 512, "float32"), (65536, 64, 65, "float32"), (1, 65536, 1, "float16")],
)
def test_dimensions_up_to_65536_are_planned(m, k, n, dtype):
    plan = plan_matmul(problem_of(m, k, n, dtype), BOW)
    assert plan.tiles_used <= BOW.n_tiles
    assert plan.estimate.temporary_bytes <= plan.memory_bound_bytes


def test_runners_up_are_further_plans_best_first():
    plan = plan_matmul(problem_of(512, 512, 512), BOW, PlanOptions(runners_up=6))
    ranked = [plan, *plan.runners_up]
    assert len(ranked) == 7
    assert [found.cycles for found in ranked] == sorted(found.cycles for found in ranked)
    assert len({(found.variant, found.split) for found in ranked}) == 7
    assert all(found.runners_up == () for found in plan.runners_up)
    assert plan_matmul(problem_of(512, 512, 512), BOW, PlanOptions(runners_up=0)).runners_up == ()


def test_the_same_question_has_the_same_answer(monkeypatch):
    problem = problem_of(640, 384, 1000)
    first = plan_matmul(problem, BOW)
    monkeypatch.setattr("ipusim.plan.best_rows.read_entry", lambda _: None)
    monkeypatch.setattr("ipusim.plan.best_rows.write_entry", lambda *_: None)
    best_rows.cache_clear()
    assert plan_matmul(problem, BOW) == first
    assert plan_matmul(problem, BOW.replace(clock_hz=1e9)) == first


# --- vertices -------------------------------------------------------------------------------------------------------


def _kinds(problem, chip=BOW):
    return {variant.vertex for variant in variants_of(problem, chip)}


def test_which_vertices_are_tried():
    assert _kinds(problem_of(512, 512, 512)) == {AMP_1X1}
    assert _kinds(problem_of(512, 8, 512)) == {AMP_1X1, AMP_NX1}
    assert _kinds(problem_of(4, 512, 512)) == {AMP_1X1, HMAC}
    assert _kinds(problem_of(512, 1, 512)) == {AMP_1X1, AMP_NX1, OUTER_PRODUCT}
    assert _kinds(problem_of(512, 512, 512, "float32", "float16")) == set()


def test_swapped_operands_come_first_and_win_ties():
    swapped = [variant.swapped for variant in variants_of(problem_of(64, 64, 64), BOW)]
    assert swapped == sorted(swapped, reverse=True)
    assert plan_matmul(problem_of(64, 64, 64), BOW).variant.swapped == 1


@pytest.mark.parametrize("problem", [problem_of(5, 3, 7), problem_of(5, 1, 7), problem_of(1, 20, 9, "float32")])
def test_small_products_agree_with_brute_force_whatever_the_vertex(problem):
    best = min(_every_plan(problem, TINY))
    plan = plan_matmul(problem, TINY)
    assert (plan.cycles, plan.estimate.temporary_bytes) == best


def test_no_plan_without_an_amp_mode():
    halves = [mode.model_dump(mode="json") for mode in BOW.amp_modes if mode.inputs == "float16"]
    assert plan_matmul(problem_of(64, 64, 64, "float32"), BOW.replace(amp_modes=halves)) is None


# --- what a plan says of itself -------------------------------------------------------------------------------------


def test_a_plan_as_a_document():
    plan = plan_matmul(problem_of(4096, 4096, 4096), BOW)
    found = json.loads(json.dumps(plan.to_dict()))
    assert found["partition"] == {"p_groups": 1, "p_n": 14, "p_k": 13, "p_m": 8}
    assert found["serial"] == {"s_k": 1, "s_m": 4}
    assert found["tiles_used"] == 14 * 13 * 8
    assert found["estimated_cycles"] == plan.cycles == sum(found["estimated_terms"].values())
    assert found["broadcast_before_loop"]
    assert found["swapped"]
    assert found["vertex"] == "amp_1x1"
    assert not found["relaxed"]
    assert len(found["runners_up"]) == 4


def test_partition_is_named_after_the_problem_whatever_the_orientation():
    split = Split(2, 3, 5, 7, 1, 1, 0)
    for swapped, names in ((1, {"p_n": 3, "p_m": 7}), (0, {"p_m": 3, "p_n": 7})):
        plan = dense.DensePlan(problem_of(64, 64, 64), Variant(AMP_1X1, 16, 16, 16, swapped), split, None, 16, 0, False)
        assert plan.partition == {"p_groups": 2, "p_k": 5, **names}
        assert plan.tiles_used == 210


@pytest.mark.parametrize(
    ("dtype", "size", "n", "partition", "serial", "broadcast"),
    [
        ("float16", 1024, 4, {"p_n": 1, "p_k": 64, "p_m": 22}, 1, False),
        ("float16", 1024, 64, {"p_n": 1, "p_k": 22, "p_m": 64}, 1, False),
        ("float16", 1024, 1024, {"p_n": 8, "p_k": 8, "p_m": 22}, 1, False),
        ("float16", 4096, 1024, {"p_n": 3, "p_k": 15, "p_m": 32}, 1, False),
        ("float16", 4096, 4096, {"p_n": 14, "p_k": 13, "p_m": 8}, 4, True),
        ("float16", 8192, 4096, {"p_n": 14, "p_k": 26, "p_m": 4}, 16, True),
        ("float32", 1024, 32, {"p_n": 1, "p_k": 22, "p_m": 64}, 1, False),
        ("float32", 2048, 2048, {"p_n": 7, "p_k": 13, "p_m": 16}, 2, True),
        ("float32", 8192, 1024, {"p_n": 6, "p_k": 27, "p_m": 9}, 19, True),
    ],
)
def test_plans_of_measured_products(dtype, size, n, partition, serial, broadcast):
    plan = plan_matmul(problem_of(size, size, n, dtype), BOW)
    assert plan.partition == {"p_groups": 1, **partition}
    assert plan.to_dict()["serial"] == {"s_k": 1, "s_m": serial}
    assert bool(plan.split.broadcast) is broadcast
    assert (plan.variant.vertex, plan.variant.units, plan.variant.swapped) == (AMP_1X1, 16, 1)
