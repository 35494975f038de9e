"""Stages of the reduction of partial sums: how many matrices are left, and who holds which run of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.cost.reduction import planned_stages
from ipusim.lower.reduction import Shares, matrices_after_stages, next_shares, unreduced

depths = st.integers(2, 300)


def _check_runs(shares, elements):
    """Check that the tiles of each matrix hold each of its elements once."""
    begin, end = shares.run(np.array([elements]))
    for matrix in range(shares.n_matrices):
        members = shares.matrix == matrix
        runs = sorted(zip(begin[0, members].tolist(), end[0, members].tolist(), strict=True))
        assert [element for low, high in runs for element in range(low, high)] == list(range(elements))


@pytest.mark.parametrize(
    ("depth", "left"),
    [
        (2, (1,)),
        (15, (1,)),
        (16, (4, 1)),
        (17, (4, 1)),
        (22, (5, 1)),
        (64, (8, 1)),
        (131, (22, 5, 1)),
        (216, (36, 6, 1)),
    ],
)
def test_matrices_left_after_each_stage(depth, left):
    # 22: factor 5, for 22 / 5 + 5 < 22 / 4 + 4; groups of 5, of which 5 are left. 131: factors 26 and 5 have the least
    # sum, 131 / 26 + 26 / 5 + 5; groups of 6 leave 22, groups of 5 leave 5.
    assert matrices_after_stages(depth) == left


@given(depths)
def test_as_many_stages_as_planned_each_leaving_fewer(depth):
    left = matrices_after_stages(depth)
    assert len(left) == planned_stages(depth)
    assert left[-1] == 1
    assert list(left) == sorted(left, reverse=True)


@given(depths, st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_every_stage_shares_out_every_matrix(depth, elements):
    shares = unreduced(depth)
    _check_runs(shares, elements)
    for n_matrices in matrices_after_stages(depth):
        group = shares.matrix * n_matrices // shares.n_matrices
        shares = next_shares(shares, n_matrices)
        assert shares.matrix.tolist() == group.tolist()
        assert shares.n_matrices == n_matrices
        _check_runs(shares, elements)


@given(depths)
def test_groups_of_a_stage_differ_by_one_matrix(depth):
    before = depth
    for n_matrices in matrices_after_stages(depth):
        size = np.bincount(np.arange(before) * n_matrices // before, minlength=n_matrices)
        assert size.max() - size.min() <= 1
        before = n_matrices


def test_a_single_stage_gives_each_tile_the_next_run():
    shares = next_shares(unreduced(4), 1)
    assert shares.position.tolist() == [0, 1, 2, 3]
    assert shares.parts.tolist() == [4] * 4
    begin, end = shares.run(np.array([10]))
    # Runs of 3: the last tile gets the one that is left.
    assert begin.tolist() == [[0, 3, 6, 9]]
    assert end.tolist() == [[3, 6, 9, 10]]


def test_tiles_beyond_the_last_element_hold_nothing():
    begin, end = Shares(np.zeros(4, int), np.arange(4), np.full(4, 4), 1).run(np.array([2]))
    assert (end - begin).tolist() == [[1, 1, 0, 0]]


def test_a_second_stage_keeps_tiles_near_the_run_they_hold():
    # 16 matrices in 4 groups of 4; tiles 0 to 3 hold quarters of the first sum. The final run of each tile lies
    # within the quarter that it holds already.
    first = next_shares(unreduced(16), 4)
    second = next_shares(first, 1)
    held_begin, held_end = first.run(np.array([160]))
    begin, end = second.run(np.array([160]))
    assert (held_begin <= begin).all()
    assert (end <= held_end).all()
