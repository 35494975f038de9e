"""Dropping and growing connections: by hand, and what always holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ipusim.training.topology import DropSchedule, block_scores, change_connections


def test_one_change_by_hand() -> None:
    mask = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    weights = np.array([[0.5, -0.1, 9.0], [9.0, 0.2, -3.0]])
    gradients = np.array([[0.0, 1.0, -2.0], [3.0, 0.0, 0.0]])
    changed = change_connections(mask, np.abs(weights), np.abs(gradients), 0.5)
    # of four, two go: -0.1 and 0.2; the largest gradients elsewhere are 3 and -2
    assert changed.tolist() == [[True, False, True], [True, False, True]]


def test_what_was_dropped_may_come_back() -> None:
    mask = np.array([[True, True, False]])
    changed = change_connections(mask, np.array([[1.0, 2.0, 0.0]]), np.array([[5.0, 0.0, 1.0]]), 0.5)
    assert changed.tolist() == [[True, True, False]]


def test_blocks_are_pooled() -> None:
    values = np.array([[1.0, -1.0, 0.0, 2.0], [0.0, 3.0, 0.0, 0.0]])
    assert block_scores(values, 2).tolist() == [[5.0, 2.0]]


def test_schedule_by_hand() -> None:
    schedule = DropSchedule(fraction=0.4, every=10, begin=0, end=100)
    assert [step for step in range(0, 45) if schedule.is_due(step)] == [10, 20, 30, 40]
    assert schedule.share(0) == 0.4
    assert abs(schedule.share(50) - 0.2) < 1e-15
    assert schedule.share(100) == 0.0
    assert not schedule.is_due(110)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.floats(0, 1))
def test_the_number_of_connections_stays(seed: int, rows: int, cols: int, density: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.uniform(size=(rows, cols)) < density
    drop, grow = rng.uniform(size=(2, rows, cols)).round(1)
    changed = change_connections(mask, drop, grow, share)
    assert changed.sum() == mask.sum()
    gone = (mask & ~changed).sum()
    assert gone == (changed & ~mask).sum() <= int(share * mask.sum())
    stayed, dropped = drop[mask & changed], drop[mask & ~changed]
    # what came back after it was dropped stands among those that stayed
    assert np.sort(drop[mask])[: int(share * mask.sum())].max(initial=0.0) >= dropped.max(initial=0.0)
    assert len(stayed) + len(dropped) == mask.sum()
