"""Nothing is lost or done twice when a static sparse matrix is laid out on the tiles, however its blocks lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.plan.static_executed import executed_cycles
from ipusim.plan.static_memory import static_memory
from ipusim.plan.static_partition import gathered_cols, partition_static, sources_of_rows
from ipusim.plan.static_reduction import plan_reduction
from ipusim.plan.static_search import plan_static
from ipusim.plan.static_workers import vertex_fields
from ipusim.sparse.blocks import Blocks, blocks_from_flat, blocks_to_dense, reblock, transpose_blocks


@dataclass
class Chip:
    n_tiles: int
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


@dataclass
class Overheads:
    exchange_phase_cycles: int = 344
    compute_set_cycles: int = 60


@st.composite
def block_patterns(draw: st.DrawFn) -> Blocks:
    """Random patterns and the awkward ones: one row, one column, one block, none, all, a diagonal, one dense corner."""
    rows, cols = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    block_size = draw(st.sampled_from([1, 4, 8, 16]))
    kind = draw(st.sampled_from(["random", "row", "col", "one", "none", "all", "diagonal", "corner"]))
    grid = np.zeros((rows, cols), bool)
    if kind == "random":
        count = draw(st.integers(0, rows * cols))
        seed = draw(st.integers(0, 2**16))
        grid.ravel()[np.random.default_rng(seed).permutation(rows * cols)[:count]] = True
    elif kind == "row":
        grid[draw(st.integers(0, rows - 1))] = True
    elif kind == "col":
        grid[:, draw(st.integers(0, cols - 1))] = True
    elif kind == "one":
        grid[draw(st.integers(0, rows - 1)), draw(st.integers(0, cols - 1))] = True
    elif kind == "all":
        grid[:] = True
    elif kind == "diagonal":
        grid[np.arange(min(rows, cols)), np.arange(min(rows, cols))] = True
    elif kind == "corner":
        grid[: (rows + 1) // 2, : (cols + 1) // 2] = True
    return blocks_from_flat((rows * block_size, cols * block_size), block_size, np.flatnonzero(grid))


@settings(max_examples=150, deadline=None)
@given(
    blocks=block_patterns(),
    n=st.integers(1, 70),
    tiles=st.sampled_from([1, 2, 4, 7, 10, 64, 300]),
    dtype=st.sampled_from(["float16", "float32"]),
)
def test_partition_is_a_partition(blocks: Blocks, n: int, tiles: int, dtype: str) -> None:
    chip = Chip(tiles)
    plan = plan_static(blocks, n, dtype, chip)
    assert plan is not None
    parts = partition_static(blocks, plan, chip)
    # Every block once, band by band.
    assert sorted(parts.order.tolist()) == list(range(blocks.n_blocks))
    assert np.array_equal(plan.row_order[parts.rows], blocks.rows[parts.order])
    assert np.array_equal(plan.col_order[parts.cols], blocks.cols[parts.order])
    assert parts.col_edges[0] == 0
    assert parts.col_edges[-1] == plan.n_padded >= n
    assert parts.tile_edges[-1] == tiles
    assert np.all(np.diff(parts.col_edges) > 0)
    for interval in range(parts.n_intervals):
        layout = parts.layouts[parts.layout_of[interval]]
        assert layout.n_tiles == parts.tile_edges[interval + 1] - parts.tile_edges[interval]
        assert np.unique(layout.tile).size == layout.n_runs
        assert layout.n_runs == 0 or 0 <= layout.tile.min() <= layout.tile.max() < layout.n_tiles
    for layout in parts.layouts:
        assert layout.blocks_indptr[-1] == blocks.n_blocks
        assert np.all(np.diff(layout.blocks_indptr) > 0)
        indptr, cols = gathered_cols(parts, layout)
        for run in range(layout.n_runs):
            held = slice(layout.blocks_indptr[run], layout.blocks_indptr[run + 1])
            own = slice(layout.rows_indptr[run], layout.rows_indptr[run + 1])
            rows, counts = np.unique(parts.rows[held], return_counts=True)
            assert layout.rows[own].tolist() == rows.tolist()
            assert layout.row_blocks[own].tolist() == counts.tolist()
            assert cols[indptr[run] : indptr[run + 1]].tolist() == np.unique(parts.cols[held]).tolist()
            band = layout.band[run]
            assert parts.band_edges[band] <= parts.cols[held].min()
            assert parts.cols[held].max() < parts.band_edges[band + 1]


@settings(max_examples=100, deadline=None)
@given(
    blocks=block_patterns(),
    n=st.integers(1, 40),
    tiles=st.sampled_from([1, 2, 4, 7, 10, 64]),
    workers=st.sampled_from([1, 2, 6]),
    dtype=st.sampled_from(["float16", "float32"]),
)
def test_cost_covers_all_the_work(blocks: Blocks, n: int, tiles: int, workers: int, dtype: str) -> None:
    chip = Chip(tiles, worker_contexts=workers)
    plan = plan_static(blocks, n, dtype, chip)
    assert plan is not None
    parts = partition_static(blocks, plan, chip)
    reduction = plan_reduction(parts, chip)
    element_bytes = 4 if dtype == "float32" else 2
    sources = [sources_of_rows(parts.layouts[index], blocks.grid[0]) for index in parts.layout_of]
    widths = np.diff(parts.col_edges) * blocks.block_size
    partial_values = sum(int(found.sum()) * int(width) for found, width in zip(sources, widths, strict=True))
    summed = int(reduction.received_bytes.sum() + reduction.copied_bytes.sum())
    assert summed == partial_values * element_bytes
    cycles = executed_cycles(parts, chip, Overheads(), reduction)
    assert (cycles.total == 0) == (blocks.n_blocks == 0)
    memory = static_memory(parts, reduction, chip)
    assert memory.live_bytes >= blocks.n_values * element_bytes // tiles
    for layout in parts.layouts:
        for width in np.diff(parts.col_edges)[:1].tolist():
            fields = vertex_fields(plan, layout, width, workers)
            assert all(np.all(values > 0) for values in fields.values())
            if blocks.block_size == 1:
                assert np.all(workers * fields["worker_non_zeros"] >= np.diff(layout.blocks_indptr))


@settings(max_examples=60, deadline=None)
@given(blocks=block_patterns(), new_size=st.sampled_from([1, 2, 4, 8, 16]))
def test_reblocking_and_transposing_keep_the_matrix(blocks: Blocks, new_size: int) -> None:
    values = np.random.default_rng(0).standard_normal((blocks.n_blocks, blocks.block_size, blocks.block_size))
    filled = blocks.with_data(values.astype(np.float32))
    dense = blocks_to_dense(filled)
    assert np.array_equal(blocks_to_dense(transpose_blocks(filled)), dense.T)
    fits = all(extent % new_size == 0 for extent in blocks.shape)
    divides = new_size % blocks.block_size == 0 or blocks.block_size % new_size == 0
    if fits and divides:
        other = reblock(filled, new_size)
        assert np.array_equal(blocks_to_dense(other), dense)
        assert other.n_values >= filled.n_values
