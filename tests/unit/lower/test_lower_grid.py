"""The grid of tiles of a plan, and how blocks are shared out among tiles."""

import numpy as np
import pytest
from handmade import cases, hand_plan, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.lower.grid import boxes, build_grid, dense_index, even_share, rank_in_group
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

TINY = load_chip("tiny", n_tiles=24)
HALF = Variant(AMP_1X1, 2, 4, 2, 1)


def test_outer_parts_run_fastest_so_that_neighbours_share_their_inputs():
    grid = build_grid(hand_plan(problem_of(8, 16, 6), TINY, HALF, Split(1, 3, 2, 4, 1, 1, 0)))
    assert grid.tile.tolist() == list(range(24))
    assert grid.j.tolist() == [0, 1, 2, 3] * 6
    assert grid.k.tolist() == ([0] * 4 + [1] * 4) * 3
    assert grid.i.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert grid.rows[:8].tolist() == [[0, 2]] * 8
    assert grid.inner[[0, 4]].tolist() == [[0, 8], [8, 16]]
    assert grid.outer[:4].tolist() == [[0, 2], [2, 4], [4, 6], [6, 8]]


def test_channels_are_padded_to_whole_groups_at_the_edge():
    # 9 inner channels are 3 groups of 4, 5 outer channels 3 groups of 2.
    grid = build_grid(hand_plan(problem_of(5, 9, 1), TINY, HALF, Split(1, 1, 3, 3, 1, 1, 0)))
    assert sorted({tuple(pair) for pair in grid.inner.tolist()}) == [(0, 4), (4, 8), (8, 12)]
    assert sorted({tuple(pair) for pair in grid.outer.tolist()}) == [(0, 2), (2, 4), (4, 6)]


def test_serial_slices_stand_one_behind_the_other():
    # 8 groups of outer channels: 2 parallel parts of 1 group, 4 slices. The second slice begins where the first ends.
    grid = build_grid(hand_plan(problem_of(16, 16, 1), TINY, HALF, Split(1, 1, 1, 2, 1, 4, 0)))
    assert grid.outer.tolist() == [[0, 2], [2, 4]]
    assert grid.outer_step == 4
    assert grid.inner_step == 16


@given(cases())
@settings(max_examples=60, deadline=None)
def test_every_tile_has_work_in_the_first_slice_and_none_has_more_than_planned(case):
    plan, share = case.plan, case.share
    grid = build_grid(plan)
    assert len(grid) == plan.tiles_used
    for bounds, most in (
        (grid.groups, share.groups),
        (grid.rows, share.rows),
        (grid.inner, share.inner),
        (grid.outer, share.outer),
    ):
        size = bounds[:, 1] - bounds[:, 0]
        assert size.min() > 0
        assert size.max() == most
    product, variant = plan.product, case.variant
    assert grid.inner_step * case.split.s_inner >= product.inner
    assert grid.outer_step * case.split.s_outer >= product.outer
    assert grid.rows.max() == product.rows
    assert grid.inner.max() <= ceil_div(product.inner, variant.inner_channels) * variant.inner_channels


@given(st.integers(0, 1000), st.integers(1, 40))
def test_even_shares_cover_everything_and_differ_by_one(elements, parts):
    index = np.arange(parts)
    begin, end = even_share(np.full(parts, elements), index, np.full(parts, parts))
    assert begin[0] == 0
    assert end[-1] == elements
    assert (begin[1:] == end[:-1]).all()
    assert (end - begin).max() - (end - begin).min() <= 1


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_rank_in_group_counts_earlier_members(group):
    dense = np.unique(np.array(group), return_inverse=True)[1]
    rank, size = rank_in_group(dense)
    assert rank.tolist() == [group[:index].count(value) for index, value in enumerate(group)]
    assert size.tolist() == [group.count(value) for value in group]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=30))
def test_dense_index_numbers_combinations_in_order(pairs):
    first, second = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    order = sorted(set(pairs))
    assert dense_index(first, second).tolist() == [order.index(pair) for pair in pairs]


@pytest.mark.parametrize(("flip", "expected"), [(False, [0, 1, 2, 3, 4, 5]), (True, [0, 1, 4, 5, 2, 3])])
def test_boxes_exchange_rows_and_columns_on_demand(flip, expected):
    pairs = [np.array([[low, low + 1]]) for low in (0, 2, 4)]
    assert boxes(*pairs, flip).tolist() == [expected]
