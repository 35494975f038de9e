"""The grouped reduction: formulas, choice of place, load of the tiles."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from test_static_partition import Chip, blocks_of, partition

from ipusim.cost.grouped_reduction import (
    add_group,
    at_destination_cycles,
    balanced_cycles,
    balanced_share,
    group_workers,
    reduce_cycles,
    strided_slots,
)
from ipusim.plan.static_partition import sources_of_rows
from ipusim.plan.static_reduction import plan_reduction

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
    assert reduce_cycles(*slots[1].tolist(), 6) == 6 * strided_slots(24, 3, False)
    assert reduce_cycles(700, 100, 6) == 700


def test_load_adds_up() -> None:
    generator = np.random.default_rng(3)
    parts = partition(blocks_of((40, 48), 4, generator.permutation(1920)[:300]), 36, 64, n_splits=2, n_bands=3)
    chip = Chip(n_tiles=64)
    reduction = plan_reduction(parts, chip)
    rows = np.concatenate([sources_of_rows(parts.layouts[index], 40) for index in parts.layout_of])
    widths = np.repeat(np.diff(parts.col_edges), 40) * 4
    assert reduction.n_partials.tolist() == np.unique(rows[rows > 1]).tolist()
    assert reduction.n_outputs.tolist() == [int(widths[rows == p].sum()) for p in reduction.n_partials]
    assert reduction.n_rows.sum() + np.count_nonzero(rows == 1) == np.count_nonzero(rows)
    assert reduction.received_bytes.sum() == 2 * (reduction.n_partials * reduction.n_outputs).sum()
    assert reduction.copied_bytes.sum() == 2 * widths[rows == 1].sum()
    assert reduction.moved_bytes.sum() == 2 * reduction.n_outputs[reduction.balanced].sum()
    assert np.all(reduction.slots[:, 0] >= reduction.slots[:, 1])


def test_rows_of_one_source_are_only_copied() -> None:
    parts = partition(blocks_of((8, 2), 4, [2 * row for row in range(8)]), 4, 8, n_splits=1, n_bands=1)
    reduction = plan_reduction(parts, Chip(n_tiles=8))
    assert reduction.n_groups == 0
    assert reduction.slots.sum() == 0
    assert reduction.copied_bytes.sum() == 8 * 16 * 2


def test_a_row_on_every_tile() -> None:
    parts = partition(blocks_of((1, 64), 4, list(range(64))), 4, 16, n_splits=1, n_bands=1)
    reduction = plan_reduction(parts, Chip(n_tiles=16))
    assert reduction.n_partials.tolist() == [16]
    assert reduction.received_bytes.sum() == 16 * 16 * 2
