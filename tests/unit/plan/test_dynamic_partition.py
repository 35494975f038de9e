from dataclasses import replace

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_partition import BucketOverflowError, partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.plan.dynamic_problem import DynamicOptions
from ipusim.plan.dynamic_spill import rebalance, room_for, strip_overfull
from ipusim.sparse.blocks import Blocks, blocks_from_flat

BOW = load_chip("bow")


def plan_for(m, k, n, block_size, density, partition, oversize=0.3, **options):
    chosen = DynamicOptions(partition=partition, oversize=oversize, **options)
    return plan_dynamic(m, k, n, block_size, density, "float16", BOW, chosen)


def pattern(m, k, block_size, cells):
    rows, cols = np.array(sorted(cells), np.int32).reshape(-1, 2).T
    return Blocks((m, k), block_size, rows, cols)


def random_pattern(m, k, block_size, count, seed=0):
    grid = m // block_size * (k // block_size)
    flat = np.sort(np.random.default_rng(seed).choice(grid, count, replace=False))
    return blocks_from_flat((m, k), block_size, flat)


def check(placement):
    """Every non-zero in one piece, every bucket within its size, every piece in its region of rows and columns."""
    plan, blocks = placement.plan, placement.blocks
    covered = np.zeros(blocks.n_blocks, int)
    for bucket, home, start, stop in zip(
        placement.piece_bucket, placement.piece_home, placement.piece_start, placement.piece_stop, strict=True
    ):
        assert 0 <= bucket < plan.n_tiles_used
        members = placement.order[start:stop]
        covered[members] += 1
        x, y = divmod(int(home) // plan.p_n, plan.p_k)
        assert (blocks.rows[members] // plan.x_groups == x).all()
        assert (blocks.cols[members] // plan.y_groups == y).all()
    assert (covered == 1).all()
    assert (placement.bucket_groups <= plan.bucket_groups).all()
    assert (placement.bucket_words < plan.bucket_words).all()


def test_a_region_is_cut_evenly_in_row_major_order():
    # 4 x 4 blocks in 2 x 1 regions over 2 tiles each
    plan = plan_for(16, 16, 8, 4, 1.0, (2, 1, 2))
    placement = partition_pattern(plan, pattern(16, 16, 4, [(0, 0), (0, 3), (1, 1), (1, 2), (1, 3), (3, 0)]))
    check(placement)
    assert placement.piece_bucket.tolist() == [0, 1, 3]
    sizes = (placement.piece_stop - placement.piece_start).tolist()
    assert sizes == [2, 3, 1]
    assert placement.piece_rows.tolist() == [1, 1, 1]
    assert placement.extent == (1, 1, 2)
    assert placement.propagation_steps == 0


def test_a_row_may_be_cut_by_the_even_split():
    plan = plan_for(16, 64, 8, 4, 1.0, (1, 1, 4))
    placement = partition_pattern(plan, pattern(16, 64, 4, [(1, col) for col in range(16)]))
    check(placement)
    assert placement.piece_rows.tolist() == [1, 1, 1, 1]


def test_overflow_goes_to_the_region_below_and_is_propagated():
    # 2 x 4 regions of 8 x 4 blocks on one tile each; buckets of 1.3 * 128 / 32 ... all in one region but for its size
    plan = plan_for(64, 64, 8, 4, 1 / 8, (2, 4, 1))
    assert plan.bucket_groups == 5
    cells = [(row, 8 + col) for row in range(3) for col in range(2)]
    placement = partition_pattern(plan, pattern(64, 64, 4, cells))
    check(placement)
    # two whole rows stay in region (0, 2); half of the third fits too, as a piece of its own; the rest goes to (0, 1)
    assert placement.piece_bucket.tolist() == [1, 2, 2]
    assert placement.piece_home.tolist() == [2, 2, 2]
    assert placement.extent == (1, 2, 1)
    assert placement.propagation_steps == 1


def test_overflow_stays_among_the_tiles_of_its_region_where_it_can():
    plan = plan_for(64, 64, 8, 4, 1 / 8, (2, 2, 2))
    # rows of 4 and 1: the first tile of the region has 5 of 10 blocks and 2 rows, the second 5 and 5
    cells = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0)]
    tight = replace(plan, bucket_words=7 + 2 * 4 + 4 + 1 + 12)
    placement = partition_pattern(tight, pattern(64, 64, 4, cells))
    check(placement)
    assert placement.extent == (1, 1, 2)
    assert (placement.piece_bucket // 2 == 0).all()


def test_overflow_of_a_whole_row_of_regions_goes_to_other_rows():
    plan = plan_for(64, 64, 8, 4, 1 / 8, (2, 2, 1))
    assert plan.bucket_groups == 10
    cells = [(row, col) for row in range(8) for col in range(4)]
    placement = partition_pattern(plan, pattern(64, 64, 4, cells))
    check(placement)
    assert placement.extent == (2, 2, 1)
    assert placement.propagation_steps == 3


def test_rows_are_cut_only_where_whole_rows_find_no_room():
    # bucket 0 has a row of 3 and overflows by two more; the others have room for 4 and for 3
    row_index, row_starts = np.repeat(np.arange(3), 3), np.array([0, 3, 6, 9])
    pieces = np.empty((8, 4), np.int64)
    runs = (np.array([0, 9, 9]), np.array([3, 9, 9]), np.array([9, 9, 9]))
    assert rebalance(*runs, row_index, row_starts, 7, 4, 100, np.array([3]), pieces) == (2, 0)
    assert pieces[:2].tolist() == [[2, 0, 3, 6], [1, 0, 6, 9]]
    # with words for 2 non-zeros only, rows are cut, and three find no room
    assert rebalance(*runs, row_index, row_starts, 7, 3, 12, np.array([3]), pieces) == (2, 0)
    assert rebalance(*runs, row_index, row_starts, 7, 3, 11, np.array([3]), pieces) == (2, 3)
    assert pieces[:2].tolist() == [[2, 0, 3, 5], [1, 0, 5, 6]]


def test_what_does_not_fit_is_a_clear_error():
    plan = plan_for(64, 64, 8, 4, 1 / 8, (2, 2, 1), oversize=0.0)
    full = replace(plan, bucket_groups=4)
    with pytest.raises(BucketOverflowError, match=r"4 of 20 non-zero blocks do not fit .* raise the oversize above 0"):
        partition_pattern(full, pattern(64, 64, 4, [(row, col) for row in range(10) for col in range(2)]))


def test_more_non_zeros_than_declared_are_an_error():
    plan = plan_for(64, 64, 8, 4, 1 / 16, (2, 2, 1))
    with pytest.raises(BucketOverflowError, match="17 non-zero blocks, 16 were declared"):
        partition_pattern(plan, random_pattern(64, 64, 4, 17))


def test_another_shape_or_block_size_is_an_error():
    plan = plan_for(64, 64, 8, 4, 1 / 16, (2, 2, 1))
    with pytest.raises(ValueError, match="16 x 16 blocks of 4"):
        partition_pattern(plan, random_pattern(64, 64, 8, 3))


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [(0, 0)],
        [(15, 15)],
        [(7, col) for col in range(16)],
        [(row, 9) for row in range(16)],
        [(row, row) for row in range(16)],
    ],
    ids=["empty", "first", "last", "one row", "one column", "diagonal"],
)
@pytest.mark.parametrize("partition", [(1, 1, 1), (4, 4, 4), (16, 1, 2), (1, 16, 1), (6, 3, 2)])
def test_adversarial_patterns_lose_nothing(cells, partition):
    plan = plan_for(64, 64, 8, 4, 1 / 8, partition, oversize=1.0)
    placement = partition_pattern(plan, pattern(64, 64, 4, cells))
    check(placement)
    assert placement.bucket_groups.sum() == len(cells)


@pytest.mark.parametrize("partition", [(1, 1, 1), (4, 4, 4), (3, 6, 2)])
def test_a_full_matrix_fits(partition):
    plan = plan_for(64, 64, 8, 4, 1.0, partition)
    placement = partition_pattern(plan, random_pattern(64, 64, 4, 256))
    check(placement)
    assert placement.bucket_groups.sum() == 256


def test_spilling_is_the_same_compiled_and_interpreted(monkeypatch):
    plan = plan_for(1024, 1024, 64, 8, 0.1, (6, 4, 1), oversize=0.005)
    blocks = random_pattern(1024, 1024, 8, plan.problem.non_zero_groups)
    placements = []
    for limit in (0, 10**9):
        monkeypatch.setattr("ipusim.plan.dynamic_partition.INTERPRETED_MOVES", limit)
        placements.append(partition_pattern(plan, blocks))
        check(placements[-1])
    assert placements[0].extent == placements[1].extent
    np.testing.assert_array_equal(placements[0].piece_start, placements[1].piece_start)
    np.testing.assert_array_equal(placements[0].piece_bucket, placements[1].piece_bucket)
    assert placements[0].propagation_steps > 0


def test_room_for_whole_rows_and_for_parts():
    row_index = np.array([0, 0, 0, 1, 1, 2])
    row_starts = np.array([0, 3, 5, 6])
    assert room_for(0, 6, row_index, row_starts, 6, 100, False) == 6
    assert room_for(0, 6, row_index, row_starts, 4, 100, False) == 3
    assert room_for(0, 6, row_index, row_starts, 4, 100, True) == 4
    # three non-zeros and their row are five words; the next row needs four
    assert room_for(0, 6, row_index, row_starts, 6, 8, False) == 3
    assert room_for(0, 6, row_index, row_starts, 6, 8, True) == 4
    assert room_for(0, 6, row_index, row_starts, 6, -3, True) == 0
    assert room_for(1, 2, row_index, row_starts, 6, 3, False) == 2


def test_strip_takes_whole_rows_off_the_end():
    row_index = np.array([0, 0, 0, 1, 1, 2])
    row_starts = np.array([0, 3, 5, 6])
    stops = np.array([6])
    strip_overfull(np.array([0]), stops, row_index, row_starts, 7, 4, 100)
    assert stops.tolist() == [3]
    stops = np.array([6])
    strip_overfull(np.array([0]), stops, row_index, row_starts, 7, 2, 100)
    assert stops.tolist() == [0]


def test_rebalance_says_when_its_list_is_too_short():
    row_index, row_starts = np.arange(4), np.arange(5)
    runs = (np.array([0, 4, 4]), np.array([1, 4, 4]), np.array([4, 4, 4]))
    sizes = (7, 2, 100, np.array([3]))
    assert rebalance(*runs, row_index, row_starts, *sizes, np.empty((1, 4), np.int64)) == (-1, 0)
    pieces = np.empty((8, 4), np.int64)
    assert rebalance(*runs, row_index, row_starts, *sizes, pieces) == (2, 0)
    assert compiled(rebalance)(*runs, row_index, row_starts, *sizes, np.empty((8, 4), np.int64)) == (2, 0)
    # the bucket just below comes first, cyclically
    assert pieces[:2].tolist() == [[0, 0, 1, 2], [2, 0, 2, 4]]
