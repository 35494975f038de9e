"""Static sparsity on the real pattern: runs, rows, columns, worker shares."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from ipusim.plan.static_partition import StaticPartition, gathered_cols, partition_static, sources_of_rows
from ipusim.plan.static_search import plan_static
from ipusim.plan.static_workers import slowest_workers, vertex_fields
from ipusim.sparse.blocks import Blocks, blocks_from_flat


@dataclass
class Chip:
    n_tiles: int = 1472
    tile_sram_bytes: int = 638976
    exchange_bytes_per_cycle: int = 4
    tiles_per_exchange_bus: int = 2
    worker_contexts: int = 6
    amp_load_bytes_per_cycle: int = 8
    exchange_control_cycles_per_fragment: int = 3
    exchange_instruction_bytes: int = 4
    interleaved_load_bytes: int = 16
    exchange_bus_rate_factor: int = 2
    exchange_gather_sharing: bool = False
    amp_modes: tuple[()] = ()
    amp_block4_fraction: float = 0
    amp_block8_fraction: float = 0
    amp_block16_fraction: float = 0
    amp_skip_n: int = 0
    amp_skip_m: int = 0
    amp_skip_fraction: float = 1
    gather_units: int = 0
    gather_bytes_per_cycle: int = 8


def blocks_of(grid: tuple[int, int], block_size: int, flat: list[int] | np.ndarray) -> Blocks:
    shape = grid[0] * block_size, grid[1] * block_size
    return blocks_from_flat(shape, block_size, np.sort(np.asarray(flat, np.int64)))


def partition(blocks: Blocks, n: int, tiles: int, **options: int) -> StaticPartition:
    chip = Chip(n_tiles=tiles)
    plan = plan_static(blocks, n, "float16", chip, **options)
    assert plan is not None
    return partition_static(blocks, plan, chip)


def test_one_band_in_row_major_runs() -> None:
    blocks = blocks_of((4, 4), 4, [0, 1, 2, 5, 6, 9, 12, 15])
    parts = partition(blocks, 4, 4, n_splits=1, n_bands=1)
    (layout,) = parts.layouts
    assert layout.tile.tolist() == [0, 1, 2, 3]
    assert layout.blocks_indptr.tolist() == [0, 2, 4, 6, 8]
    assert layout.rows.tolist() == [0, 0, 1, 1, 2, 3]
    assert layout.row_blocks.tolist() == [2, 1, 1, 1, 1, 2]
    assert layout.n_cols.tolist() == [2, 2, 2, 2]
    assert sources_of_rows(layout, 4).tolist() == [2, 2, 1, 1]
    indptr, cols = gathered_cols(parts, layout)
    assert [cols[a:b].tolist() for a, b in pairwise(indptr.tolist())] == [
        [0, 1],
        [1, 2],
        [1, 2],
        [0, 3],
    ]


def test_bands_are_contiguous_columns_on_their_own_tiles() -> None:
    blocks = blocks_of((8, 8), 4, list(range(64)))
    parts = partition(blocks, 4, 16, n_splits=1, n_bands=2)
    (layout,) = parts.layouts
    assert parts.band_edges.tolist() == [0, 4, 8]
    assert layout.tile.tolist() == list(range(16))
    assert layout.band.tolist() == [0] * 8 + [1] * 8
    assert parts.cols[:32].max() == 3
    assert sources_of_rows(layout, 8).tolist() == [2] * 8


def test_intervals_of_equal_tiles_share_a_layout() -> None:
    parts = partition(blocks_of((8, 8), 4, list(range(64))), 24, 16, n_splits=3, n_bands=1)
    assert np.diff(parts.col_edges).tolist() == [8, 8, 8]
    assert np.diff(parts.tile_edges).tolist() == [6, 6, 4]
    assert parts.layout_of.tolist() == [1, 1, 0]
    assert [layout.n_tiles for layout in parts.layouts] == [4, 6]


def test_permutation_puts_sparse_rows_last() -> None:
    flat = [row * 40 + col for row in range(40) for col in range(40) if row != 3] + [3 * 40]
    parts = partition(blocks_of((40, 40), 1, flat), 4, 8)
    assert parts.plan.row_order[-1] == 3
    assert parts.rows.max() == 39
    last = parts.rows == 39
    assert parts.order[last].tolist() == [3 * 40]


def worst(row_blocks: list[int], n_cols: int) -> tuple[int, int, int]:
    rows, held, cols = (np.zeros(1, np.int64) for _ in range(3))
    slowest_workers(np.array([0, len(row_blocks)]), np.array(row_blocks), n_cols, 4, False, 6, 0, rows, held, cols)
    return int(rows[0]), int(held[0]), int(cols[0])


@pytest.mark.parametrize(
    ("row_blocks", "n_cols", "rows", "held", "cols"),
    [
        ([10, 1, 1, 1, 1, 1], 4, 1, 10, 4),  # one row per worker
        ([10] * 12, 4, 2, 20, 4),  # equal shares
        ([10] * 13, 4, 3, 30, 4),  # 130 / 6 = 21.7: three rows before a worker has its share
        ([9, 9, 9], 16, 1, 9, 8),  # few rows: three pairs of workers, half of the columns each
        ([9, 9, 9], 12, 1, 9, 12),  # twelve columns are not halved
        ([30, 1, 1], 8, 1, 30, 4),
        ([7], 4, 1, 7, 4),
    ],
)
def test_slowest_worker(row_blocks: list[int], n_cols: int, rows: int, held: int, cols: int) -> None:
    assert worst(row_blocks, n_cols) == (rows, held, cols)


def test_vertex_fields_of_both_codelets() -> None:
    parts = partition(blocks_of((4, 4), 4, [0, 1, 2, 5, 6, 9, 12, 15]), 20, 4, n_splits=1, n_bands=1)
    fields = vertex_fields(parts.plan, parts.layouts[0], 20, 6)
    assert {name: values.tolist() for name, values in fields.items()} == {
        "rows": [1, 2, 2, 1],
        "blocks": [2, 2, 2, 2],
        "cols": [20] * 4,
        "worker_cols": [4] * 4,
    }
    single = partition(blocks_of((4, 4), 1, [0, 1, 2, 5, 6, 9, 12, 15]), 4, 2, n_splits=1, n_bands=1)
    fields = vertex_fields(single.plan, single.layouts[0], 4, 6)
    assert fields["worker_non_zeros"].tolist() == [3, 2]
    assert fields["worker_rows"].tolist() == [1, 1]
