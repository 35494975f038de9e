"""The formulas of the grouped reduction."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ipusim.cost.grouped_reduction import (
    add_group,
    at_destination_cycles,
    balanced_cycles,
    balanced_share,
    group_workers,
    reduce_cycles,
    strided_slots,
)

STRIDED = Path(__file__).parents[2] / "data" / "vectors" / "static_strided.csv"


def test_strided_slots_are_the_published_ones() -> None:
    with STRIDED.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    for row in rows:
        # The published vertex may have several outer strides; a reduction of rows that arrived has one. Each further
        # stride costs 3 slots and one per further partial sum in every loop.
        outputs, partials, strides = int(row["outputs"]), int(row["partials"]), int(row["outer_strides"])
        width = int(row["width"])
        loops = -(-outputs // width)
        surplus = loops * (strides - 1) * (3 + partials - 1)
        assert strided_slots(outputs, partials, row["type"] == "float") == int(row["cycles"]) - surplus


def test_estimates_of_the_two_places() -> None:
    assert at_destination_cycles(100, 5, 2, 4) == 50 + 5 * 25 + 126
    assert balanced_cycles(23552, 100, 5, 2, 1472, 4) == 40 + 50 + 5 * 4 + 252
    assert balanced_cycles(10, 10, 2, 4, 1472, 4) == 16 + 10 + 2 * 4 + 252
    # one output more than 8 for every tile is 16 for some
    assert balanced_cycles(8 * 1472 + 1, 100, 5, 2, 1472, 4) == 40 + 50 + 5 * 4 + 252
    # 8 elements of a byte in a vector
    assert at_destination_cycles(9, 5, 1, 4) == 3 + 5 * 2 + 126
    assert balanced_cycles(72, 9, 5, 1, 1, 4) == 90 + 3 + 5 * 9 + 252
    assert type(at_destination_cycles(9, 5, 2, 4)) is type(balanced_cycles(9, 9, 5, 2, 4, 4)) is int


@pytest.mark.parametrize(
    ("n_outputs", "float_partials", "share"), [(10, False, 16), (23556, False, 20), (10, True, 8), (14722, True, 12)]
)
def test_share_of_a_balanced_group(n_outputs: int, float_partials: bool, share: int) -> None:
    assert balanced_share(n_outputs, float_partials, 1472) == share


def test_workers_of_a_group() -> None:
    assert group_workers(7, 500, 1000, 6) == 2
    assert group_workers(6, 500, 1000, 6) == 3
    assert group_workers(6, 501, 1000, 6) == 4
    assert group_workers(1, 1000, 1000, 6) == 6
    assert group_workers(9, 1, 1, 1) == 1


def test_a_group_is_cut_over_its_workers() -> None:
    slots = np.zeros((3, 2), np.int64)
    add_group(np.array([0, 40, 8]), 3, 2, False, slots)
    assert slots[0].tolist() == [0, 0]
    assert slots[1].tolist() == [strided_slots(24, 3, False) + strided_slots(16, 3, False), strided_slots(24, 3, False)]
    assert slots[2].tolist() == [strided_slots(8, 3, False)] * 2
    again = np.zeros((3, 2), np.int64)
    add_group(np.array([32, 1, 0]), 3, 2, False, again)
    assert again.tolist() == [[2 * strided_slots(16, 3, False), strided_slots(16, 3, False)], [20 + 12] * 2, [0, 0]]
    # pieces of 4 floats: 12, 12 and 8 for three workers; groups add up
    add_group(np.array([32, 0, 0]), 3, 3, True, again)
    floats = 2 * strided_slots(12, 3, True) + strided_slots(8, 3, True)
    assert again[0].tolist() == [2 * strided_slots(16, 3, False) + floats, strided_slots(12, 3, True)]
    assert reduce_cycles(*slots[1].tolist(), 6) == 6 * strided_slots(24, 3, False)
    assert reduce_cycles(700, 100, 6) == 700
