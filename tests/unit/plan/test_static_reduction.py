"""The grouped reduction of a static sparse matmul: the load of the tiles."""

from __future__ import annotations

import numpy as np
from test_static_partition import Chip, blocks_of, partition

from ipusim.plan.static_partition import sources_of_rows
from ipusim.plan.static_reduction import plan_reduction


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
