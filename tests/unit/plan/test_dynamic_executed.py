from dataclasses import replace

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets.dynamic_element_wise import chunked_worker_slots
from ipusim.codelets.registry import codelet
from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.cost.worker_split import worker_pieces
from ipusim.plan.dynamic_executed import executed_pass, steps_cycles
from ipusim.plan.dynamic_executed_grad_w import executed_grad_w
from ipusim.plan.dynamic_partition import partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_update import pattern_update
from ipusim.plan.dynamic_vertices import distribution_cycles, pass_costs, propagation_vertex_cycles
from ipusim.sparse.blocks import Blocks, blocks_from_flat

BOW = load_chip("bow")
FREE = DynamicOverheads(0, 0, 0)


def plan_for(m, k, n, block_size, density, dtype="float16", **options):
    return plan_dynamic(m, k, n, block_size, density, dtype, BOW, DynamicOptions(**options))


def pattern(m, k, block_size, cells):
    rows, cols = np.array(sorted(cells), np.int32).reshape(-1, 2).T
    return Blocks((m, k), block_size, rows, cols)


def random_pattern(m, k, block_size, count, seed=0):
    grid = m // block_size * (k // block_size)
    return blocks_from_flat((m, k), block_size, np.sort(np.random.default_rng(seed).choice(grid, count, replace=False)))


def test_overheads_of_bow_add_up_to_the_fitted_phase():
    overheads = dynamic_overheads(BOW)
    # barrier 126, mux 112, tail 51, 22 rows of 2
    assert overheads.exchange_phase_cycles == 333
    assert overheads.compute_set_cycles == 60
    assert overheads.control_cycles == 3 * 333 + 6 * 60
    assert overheads.step_cycles == 5 * 333 + 9 * 60


@pytest.mark.parametrize(
    ("z", "rows", "non_zeros", "float_input", "slots"),
    [
        (8, 10, 50, False, 28 + 150 + 150),
        (4, 10, 50, False, 30 + 110 + 100),
        (20, 10, 50, False, 33 + 10 * (13 + 34 + 15) + 50 * 8),
        (4, 10, 50, True, 25 + 130 + 150),
        (2, 10, 50, True, 27 + 110 + 100),
        (14, 10, 50, True, 30 + 10 * (13 + 36 + 12) + 50 * 11),
    ],
)
def test_chunked_slots(z, rows, non_zeros, float_input, slots):
    assert chunked_worker_slots(rows, z, non_zeros, float_input) == slots


def test_blocks_by_hand():
    # 2 x 2 regions of 4 x 4 blocks over two tiles each; 8 columns on a tile, two on the busiest workers
    plan = plan_for(128, 128, 16, 16, 0.25, partition=(2, 2, 2))
    placement = partition_pattern(plan, pattern(128, 128, 16, [(0, 0), (0, 1), (3, 2), (5, 5)]))
    cycles = distribution_cycles(placement, pass_costs(placement, False))
    block = 64 + 3 + 24 + 6 * 2 * (25 + 8 - 3)
    # region (0, 0): three blocks, so two buckets of one row each that hold 1 and 2 blocks
    assert cycles[0] == 42 + 2 * (102 + 6 * 23) + 3 + 3 * block
    # region (1, 1): one block in one bucket, the other one is empty
    assert cycles[3] == 42 + (102 + 6 * 23) + 33 + 1 + block
    # nothing but the ends of two buckets
    assert cycles[1] == cycles[2] == 42 + 2 * 33
    transposed = distribution_cycles(placement, pass_costs(placement, True))
    assert transposed[3] == 42 + (102 + 6 * 23) + 33 + block + 6 * 2 * 3


def test_the_slowest_worker_of_each_bucket_counts():
    # one region on one tile; rows of 9 and 1 and 1: one row for each of three pairs of workers
    plan = plan_for(16, 16, 16, 1, 0.25, partition=(1, 1, 1))
    cells = [(0, col) for col in range(9)] + [(4, 3), (9, 9)]
    placement = partition_pattern(plan, pattern(16, 16, 1, cells))
    cycles = distribution_cycles(placement, pass_costs(placement, False))
    assert worker_pieces(3, 4, 6)[0] == (0, 1, 0, 2)
    assert cycles[0] == 30 + 93 + 6 * chunked_worker_slots(1, 8, 9, False)


def test_exchange_terms_by_hand():
    plan = plan_for(128, 128, 16, 16, 0.25, partition=(2, 2, 2))
    placement = partition_pattern(plan, random_pattern(128, 128, 16, 16))
    cycles = executed_pass(placement, BOW, replace(FREE, bucket_gap_cycles=100))
    assert cycles.dense_exchange == 4 * 16 * 8 * 2 // 4
    assert cycles.bucket_exchange == plan.bucket_bytes // 4
    assert cycles.bucket_gap == 100
    assert cycles.reduce_exchange == 4 * 16 * 8 * 4 // 2 // 4
    assert cycles.transpose == 0
    assert cycles.exchange_phases == cycles.compute_sets == cycles.control == 0
    swapped = executed_pass(placement, BOW, FREE, transposed=True)
    assert swapped.transpose > 0
    assert swapped.dense_exchange == cycles.dense_exchange


def test_totals_are_the_sums_of_the_terms():
    plan = plan_for(512, 512, 64, 4, 0.1, grad_w=True)
    placement = partition_pattern(plan, random_pattern(512, 512, 4, plan.problem.non_zero_groups))
    overheads = dynamic_overheads(BOW)
    for cycles in (
        executed_pass(placement, BOW, overheads),
        executed_pass(placement, BOW, overheads, transposed=True),
        executed_grad_w(placement, overheads),
    ):
        names = cycles.__dataclass_fields__
        assert cycles.total == sum(getattr(cycles, name) for name in names)
        assert all(getattr(cycles, name) >= 0 for name in names)
        assert cycles.multiply > 0


def test_spill_costs_its_steps():
    even = plan_for(64, 64, 8, 4, 1 / 8, partition=(2, 4, 2))
    cells = [(row, 8 + col) for row in range(4) for col in range(2)]
    placement = partition_pattern(even, pattern(64, 64, 4, cells))
    assert placement.extent == (1, 2, 2)
    costs = pass_costs(placement, False)
    steps = propagation_vertex_cycles(placement, costs)
    assert len(steps) == placement.propagation_steps == 2
    away = placement.piece_bucket // 2 != placement.piece_home // 2
    assert steps[0] >= costs.call_cycles + costs.piece_cycles[away].max()
    overheads = dynamic_overheads(BOW)
    cycles = executed_pass(placement, BOW, overheads)
    travel = even.bucket_bytes // 4
    assert cycles.propagation == 2 * 333 + travel + sum(steps) + 2 * (travel + overheads.step_cycles)
    kept = executed_pass(partition_pattern(even, pattern(64, 64, 4, cells[:4])), BOW, overheads)
    assert kept.propagation == 0


def test_a_step_without_a_piece_is_idle():
    # only the bucket two regions below holds a piece of this region: the step at distance one finds nothing
    plan = plan_for(64, 64, 8, 4, 1 / 8, partition=(1, 4, 1))
    blocks = pattern(64, 64, 4, [(0, 8), (0, 9)])
    placement = replace(
        partition_pattern(plan, blocks),
        piece_bucket=np.array([0, 2]),
        piece_home=np.array([2, 2]),
        piece_start=np.array([0, 1]),
        piece_stop=np.array([1, 2]),
        extent=(1, 3, 1),
    )
    costs = pass_costs(placement, False)
    idle = costs.call_cycles + costs.scan_cycles
    assert propagation_vertex_cycles(placement, costs) == [idle, costs.call_cycles + costs.piece_cycles[0]]
    # at home the foreign bucket's holder looks at the piece and passes over it
    assert distribution_cycles(placement, costs)[0] == costs.call_cycles + costs.scan_cycles


def test_steps_are_free_when_there_are_none():
    assert steps_cycles([], 1000, 64, dynamic_overheads(BOW)) == 0


def test_an_empty_pattern_runs():
    for block_size, n in ((1, 16), (4, 8)):
        plan = plan_for(64, 64, n, block_size, 0.1, grad_w=True)
        placement = partition_pattern(plan, blocks_from_flat((64, 64), block_size, np.arange(0)))
        overheads = dynamic_overheads(BOW)
        full = partition_pattern(plan, random_pattern(64, 64, block_size, plan.problem.non_zero_groups))
        for transposed in (False, True):
            empty = executed_pass(placement, BOW, overheads, transposed)
            assert 0 < empty.multiply < executed_pass(full, BOW, overheads, transposed).multiply
        assert executed_grad_w(placement, overheads).multiply < executed_grad_w(full, overheads).multiply


def test_weight_gradient_needs_its_plan():
    plan = plan_for(64, 64, 8, 4, 0.1)
    placement = partition_pattern(plan, random_pattern(64, 64, 4, 5))
    with pytest.raises(ValueError, match="does not include"):
        executed_grad_w(placement, FREE)


def test_separate_buckets_have_no_executed_gradient():
    plan = plan_for(64, 64, 16, 1, 0.1, shared_buckets=False)
    placement = partition_pattern(plan, random_pattern(64, 64, 1, 5))
    assert executed_pass(placement, BOW, FREE).total > 0
    with pytest.raises(ValueError, match="shared buckets"):
        executed_pass(placement, BOW, FREE, transposed=True)


@pytest.mark.parametrize("chip", ["tiny", "gc2", "c600"])
def test_other_chips_run_all_passes(chip):
    chip = load_chip(chip)
    plan = plan_dynamic(64, 64, 16, 4, 0.25, "float16", chip, DynamicOptions(grad_w=True))
    placement = partition_pattern(plan, random_pattern(64, 64, 4, plan.problem.non_zero_groups))
    overheads = dynamic_overheads(chip)
    assert plan.n_tiles_used <= chip.n_tiles
    assert executed_pass(placement, chip, overheads).multiply > 0
    assert executed_pass(placement, chip, overheads, transposed=True).multiply > 0
    assert executed_grad_w(placement, overheads).multiply > 0


@pytest.mark.parametrize("n", [96, 90])
def test_weight_gradient_by_hand(n):
    plan = plan_for(128, 128, n, 16, 0.25, partition=(2, 2, 2), grad_w=True)
    placement = partition_pattern(plan, pattern(128, 128, 16, [(0, 0), (0, 1), (1, 1), (5, 5)]))
    cycles = executed_grad_w(placement, FREE)
    if plan.amp_grad_w:
        chunks, blocks, rows = 3, 2, 2
        per_block = 15 + 4 * (chunks - 1) + chunks * (8 + 32)
        supervisor = 75 + 26 + 23 + 8 * (rows - 1) + 22 * rows + blocks * (10 + per_block)
        worker = 5 + blocks * (32 * chunks - 4 * (chunks - 1))
        assert cycles.multiply == 2 * (supervisor + 6 * worker)
        assert cycles.transpose > 0
    else:
        # a bucket of two blocks in two rows: two workers with a block each
        assert cycles.multiply == 2 * (75 + 26 + 6 * (27 + 9 + 505 + 45 * 96))
        assert cycles.transpose == 0


def test_codelets_agree_with_the_vertices_on_a_region():
    plan = plan_for(128, 128, 16, 16, 0.25, partition=(2, 2, 2))
    placement = partition_pattern(plan, pattern(128, 128, 16, [(0, 0), (0, 1), (3, 2), (5, 5)]))
    fields = {"own_sub_groups": 2, "other_sub_groups": 0, "rows": 3, "blocks": 3, "worker_cols": 2}
    settings = {"block_size": 16, "inputs": "float16", "partials": "float32"}
    for transposed in (False, True):
        expected = distribution_cycles(placement, pass_costs(placement, transposed))[0]
        block = codelet("dynamic_block")
        assert block.cycles(fields, settings | {"transposed": transposed}, BOW) == expected
    idle = dict.fromkeys(fields, 0) | {"other_sub_groups": 2, "worker_cols": 2}
    assert block.cycles(idle, settings, BOW) == 42 + 66
    slots = chunked_worker_slots(1, 8, 9, False)
    element = {"own_sub_groups": 1, "other_sub_groups": 1, "worker_slots": slots}
    assert codelet("dynamic_element_wise").cycles(element, {}, BOW) == 30 + 93 + 32 + 6 * slots
    assert codelet("dynamic_element_wise_transpose").cycles(element, {}, BOW) == 30 + 112 + 32 + 6 * slots


def test_upload_is_whole_buckets():
    plan = plan_for(128, 128, 16, 16, 0.25, partition=(2, 2, 2))
    placement = partition_pattern(plan, random_pattern(128, 128, 16, 3))
    update = pattern_update(placement, BOW)
    assert update.values_bytes == 8 * plan.bucket_groups * 512
    assert update.metadata_bytes == (8 * plan.bucket_words + 3 + 1) * 2
    assert update.upload_s == pytest.approx((update.values_bytes + update.metadata_bytes) / BOW.host_bytes_per_s)
    assert update.host_s > 0
    separate = plan_for(64, 64, 16, 1, 0.25, partition=(2, 2, 2), shared_buckets=False)
    both = pattern_update(partition_pattern(separate, random_pattern(64, 64, 1, 3)), BOW)
    assert both.metadata_bytes == (8 * (separate.bucket_words + separate.grad_a_words) + 4) * 2
