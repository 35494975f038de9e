from dataclasses import replace

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_estimate import pass_estimate, shared_receive_cycles, total_cycles
from ipusim.plan.dynamic_estimate_grad_w import grad_w_estimate, grad_w_total_cycles
from ipusim.plan.dynamic_plan import UNBOUNDED_BYTES, bounds_bytes, methods, plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions, dynamic_problem
from ipusim.plan.dynamic_search import best_under, candidate_partitions, distinct_splits

BOW = load_chip("bow")
SMALL = load_chip("bow", n_tiles=64)


def problem(m=4096, k=4096, n=1024, block_size=16, density=1 / 16, dtype="float16", chip=BOW, **options):
    return dynamic_problem(m, k, n, block_size, density, dtype, chip, DynamicOptions(**options))


def test_forward_estimate_by_hand():
    # 256 x 256 blocks over 10 x 9 x 16 tiles: 26 x 29 blocks and 64 columns on a tile
    estimate = pass_estimate(problem(), 10, 9, 16, 1, False)
    # ten row parts share pairs of tiles: 29 blocks * 16 * 64 columns * 2 bytes at 8 bytes a cycle
    assert estimate.dense_exchange_cycles == 29 * 16 * 64 * 2 // 8
    # a bucket: 4096 / 1440 = 3 blocks, 3.9 with the allowance, of 512 bytes; 160 words
    assert estimate.bucket_exchange_cycles == 16 * (4 * 512 + 160 * 2) // 4
    # float32 partial sums, one cycle for each of a worker's share
    assert estimate.zero_cycles == 6 * -(-26 * 16 * 64 // 6)
    assert estimate.reduce_exchange_cycles == 26 * 16 * 64 * 4 // 4
    assert estimate.transpose_cycles == 0
    # the peak is the reduction: partial sums held and received, and its output
    assert estimate.temporary_bytes == 26 * 16 * 64 * 4 * 2 + -(-26 * 16 * 64 // 9) * 2
    assert total_cycles(estimate) == sum(estimate[:-1])


def test_transposed_estimate_swaps_the_operand():
    estimate = pass_estimate(problem(), 10, 9, 16, 1, True)
    # the other operand, and no pairs of tiles that share it
    assert estimate.dense_exchange_cycles == 26 * 16 * 64 * 2 // 4
    assert estimate.reduce_exchange_cycles == 29 * 16 * 64
    # four blocks of 16x16 on six workers
    assert estimate.transpose_cycles == 7 + 6 * (29 + 18 + 4 * (12 + 4 * 2))


def test_nothing_is_received_where_nothing_is_divided():
    estimate = pass_estimate(problem(m=64, k=64, n=8), 1, 1, 1, 1, False)
    assert estimate.dense_exchange_cycles == estimate.bucket_exchange_cycles == estimate.reduce_exchange_cycles == 0
    assert estimate.reduce_cycles > 0, "float32 partial sums of float16 data are cast"


def test_bus_sharing_needs_pairs_or_a_full_broadcast():
    p = problem()
    assert shared_receive_cycles(p, 800, 4, 12) == 100
    assert shared_receive_cycles(p, 800, 3, 12) == 200
    assert shared_receive_cycles(p, 800, 3, 3) == 100
    assert shared_receive_cycles(p._replace(bus_factor=1), 800, 4, 12) == 200
    wide = p._replace(bus_tiles=4, bus_factor=4)
    assert [shared_receive_cycles(wide, 800, tiles, 12) for tiles in (2, 3, 4, 8)] == [200, 200, 50, 50]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "case",
    [
        {"block_size": 1, "density": 0.03, "n": 64},
        {"block_size": 1, "density": 0.03, "n": 64, "dtype": "float32", "shared_buckets": False},
        {"block_size": 4, "density": 0.1, "partials": "float16"},
        {"block_size": 8, "density": 0.5, "dtype": "float32"},
    ],
    ids=str,
)
def test_compiled_estimates_are_the_same(case, transposed):
    p = problem(**case)
    grain = 8 // p.data_bytes if p.block_size == 1 else 1
    for parts in ((1, 1, 1), (7, 5, 4), (64, 23, 1), (2, 2, 16)):
        assert compiled(pass_estimate)(p, *parts, grain, transposed) == pass_estimate(p, *parts, grain, transposed)


@pytest.mark.parametrize("exchange_buckets", [False, True])
@pytest.mark.parametrize(("block_size", "grain", "amp"), [(1, 4, False), (16, 1, False), (16, 16, True)])
def test_compiled_weight_gradient_is_the_same(block_size, grain, amp, exchange_buckets):
    p = problem(block_size=block_size, grad_w=True, n=256)
    for parts in ((1, 1, 1), (7, 5, 4), (2, 2, 16)):
        expected = grad_w_estimate(p, *parts, grain, amp, exchange_buckets)
        assert compiled(grad_w_estimate)(p, *parts, grain, amp, exchange_buckets) == expected
        assert grad_w_total_cycles(expected) == sum(expected[:-1])
        assert (expected.transpose_cycles > 0) == amp
        assert (expected.exchange_cycles > 0) == (parts[2] > 1)


def test_distinct_splits_are_the_smallest_of_their_part_size():
    assert distinct_splits(10, 100) == [1, 2, 3, 4, 5, 10]
    assert distinct_splits(10, 4) == [1, 2, 3, 4]
    assert distinct_splits(1, 4) == [1]


def test_candidates_divide_the_batch_equally_and_stay_on_the_chip():
    found = candidate_partitions(problem(n=48), 1, (0, 0, 0))
    assert (found.prod(axis=1) <= BOW.n_tiles).all()
    assert set(found[:, 2]) == {1, 2, 3, 4, 6, 8, 12, 16, 24, 48}
    assert len(np.unique(found, axis=0)) == len(found)


def test_offsets_of_element_wise_metadata_are_limited():
    # (4096 - 1) * 1024 * 2 bytes do not fit in 16 bits: columns and batch have to be divided
    found = candidate_partitions(problem(block_size=1), 4, (0, 0, 0))
    y = -(-4096 // found[:, 1])
    assert ((y - 1) * (1024 // found[:, 2]) * 2 <= 65535).all()
    assert len(candidate_partitions(problem(block_size=1, n=65536, chip=SMALL), 4, (0, 0, 0))) == 0
    assert plan_dynamic(4096, 4096, 65536, 1, 0.1, "float16", SMALL) is None


def test_best_under_breaks_ties_by_bytes_then_order():
    cycles = np.array([5, 3, 3, 3])
    size = np.array([1, 9, 4, 4])
    assert best_under(cycles, size, 10) == 2
    assert best_under(cycles, size, 3) == 0
    assert best_under(cycles, size, 0) == -1


def test_the_bound_is_doubled_and_then_dropped():
    assert list(bounds_bytes(1000, 0.6)) == [600, 1200, UNBOUNDED_BYTES]
    assert list(bounds_bytes(1000, 0.25)) == [250, 500, 1000, UNBOUNDED_BYTES]


def test_methods():
    assert list(methods(problem(block_size=1))) == [(4, False)]
    assert list(methods(problem(block_size=1, dtype="float32"))) == [(2, False)]
    assert list(methods(problem(n=64))) == [(1, False), (16, True)]
    assert list(methods(problem(n=40))) == [(1, False)]
    assert list(methods(problem(n=40, block_size=8, dtype="float32"))) == [(1, False), (8, True)]


def test_the_plan_is_the_best_of_all_partitions():
    plan = plan_dynamic(512, 256, 32, 4, 0.2, "float16", SMALL)
    p = plan.problem
    best = min(
        (
            total_cycles(pass_estimate(p, a, b, c, 1, False)) + total_cycles(pass_estimate(p, a, b, c, 1, True)),
            (a, b, c),
        )
        for c in (1, 2, 4, 8, 16, 32)
        for b in range(1, 65)
        for a in range(1, 65)
        if a * b * c <= 64
    )
    assert plan.estimated_cycles == best[0]
    assert not plan.relaxed
    assert plan.temporary_bytes <= plan.bound_bytes


def test_planning_for_both_passes_gives_squarer_plans_than_forward_alone():
    both = plan_dynamic(4096, 4096, 1024, 16, 1 / 16, "float16", BOW)
    forward = plan_dynamic(4096, 4096, 1024, 16, 1 / 16, "float16", BOW, DynamicOptions(grad_a=False))
    assert (both.p_m, both.p_k, both.p_n) == (10, 9, 16)
    assert forward.grad_a is None
    assert forward.p_m / forward.p_k > both.p_m / both.p_k
    assert total_cycles(forward.forward) < total_cycles(both.forward)


def test_too_large_for_the_bound_is_planned_relaxed():
    plan = plan_dynamic(4096, 4096, 4096, 1, 1 / 4, "float16", BOW)
    assert plan.relaxed
    assert plan.temporary_bytes > 0.6 * BOW.tile_sram_bytes


def test_fixed_partitions_are_kept():
    plan = plan_dynamic(512, 512, 64, 4, 0.1, "float16", BOW, DynamicOptions(partition=(6, 4, 1)))
    # six parts of 128 blocks are parts of 22
    assert (plan.p_m, plan.p_k, plan.p_n) == (6, 4, 1)
    assert (plan.x_groups, plan.y_groups, plan.z) == (22, 32, 64)


@pytest.mark.parametrize(
    ("chip", "m", "k", "n", "density", "block_size", "dtype"),
    [
        (load_chip("gc2"), 32768, 1024, 4, 0.01, 1, "float16"),
        (load_chip("gc2"), 32768, 1024, 4, 0.01, 8, "float32"),
        (load_chip("gc2"), 32768, 32768, 512, 0.01, 4, "float32"),
        (load_chip("gc2"), 32768, 32768, 1, 0.01, 16, "float16"),
        (SMALL, 256, 4096, 128, 0.1, 1, "float16"),
    ],
)
def test_published_smoke_cases_find_a_plan_for_all_passes(chip, m, k, n, density, block_size, dtype):
    plan = plan_dynamic(m, k, n, block_size, density, dtype, chip, DynamicOptions(grad_w=True))
    assert plan.n_tiles_used <= chip.n_tiles
    assert plan.grad_w is not None
    joint = total_cycles(plan.forward) + total_cycles(plan.grad_a) + grad_w_total_cycles(plan.grad_w)
    assert plan.estimated_cycles == joint


def test_gradients_of_the_weights_choose_what_travels():
    free = plan_dynamic(2048, 2048, 512, 16, 1 / 16, "float16", BOW, DynamicOptions(grad_w=True))
    costs = [
        plan_dynamic(
            2048, 2048, 512, 16, 1 / 16, "float16", BOW, DynamicOptions(grad_w=True, exchange_buckets=choice)
        ).estimated_cycles
        for choice in (False, True)
    ]
    assert free.estimated_cycles == min(costs)
    assert free.exchange_buckets == (costs[1] < costs[0])


def test_half_partials_only_for_blocks_of_half():
    with pytest.raises(ValueError, match="float16 partials"):
        problem(block_size=1, partials="float16")
    with pytest.raises(ValueError, match="float16 partials"):
        problem(block_size=8, dtype="float32", partials="float16")
    assert problem(partials="float16").conv_units == 16
    assert problem().conv_units == 8


def test_oversize_makes_larger_buckets():
    options = DynamicOptions(partition=(8, 8, 4))
    plans = [
        plan_dynamic(1024, 1024, 64, 4, 0.1, "float16", BOW, replace(options, oversize=oversize))
        for oversize in (0.0, 0.3, 1.0)
    ]
    assert [plan.bucket_groups for plan in plans] == [26, 34, 52]
    assert plans[0].bucket_words < plans[1].bucket_words < plans[2].bucket_words


def test_separate_buckets_of_the_input_gradient():
    options = DynamicOptions(partition=(8, 8, 2), shared_buckets=False)
    plan = plan_dynamic(1024, 1024, 64, 1, 0.1, "float16", BOW, options)
    assert plan.grad_a_words > plan.bucket_words
    shared = plan_dynamic(1024, 1024, 64, 1, 0.1, "float16", BOW, replace(options, shared_buckets=True))
    assert shared.grad_a_words == shared.bucket_words
    assert shared.resident_bytes == shared.bucket_bytes
    assert plan.resident_bytes == plan.bucket_bytes + 2 * plan.grad_a_words
