"""The planner of static sparse matmuls against the published library's plans, and against a naive search."""

from __future__ import annotations

import csv
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ipusim.cost.arithmetic import round_up
from ipusim.cost.sparse_units import NO_UNITS
from ipusim.plan.static_estimate import N_TERMS, estimate_static, planned_reduce_cycles
from ipusim.plan.static_search import plan_static, planning_order
from ipusim.plan.static_split import band_edges, band_tiles, col_intervals, interval_tiles
from ipusim.sparse.blocks import Blocks, blocks_from_flat

DATA = Path(__file__).parents[2] / "data" / "vectors"
COLUMNS = (
    "x_exch",
    "nz_exch",
    "compute",
    "zeroing",
    "partial_exch",
    "reduce",
    "reduce_factor",
    "move_out",
    "cycles",
    "memory",
)
FORMATS = {"half": "float16", "float": "float32"}

# What the published vectors do not tell of their patterns, line by line: columns and tiles of the slowest interval,
# rows and columns that count for planning, and blocks, tiles and columns of the fullest band. They were inferred, so
# that each line pins all of its ten figures by at most five unknown counts.
INFERRED = [
    (24, 8, 12, 7, 13, 8, 7),
    (8, 8, 31, 52, 503, 8, 52),
    (16, 256, 64, 53, 30, 16, 4),
    (32, 8, 25, 55, 7, 2, 14),
    (2, 246, 21, 18, 53, 124, 1),
    (4, 64, 47, 15, 157, 20, 5),
    (4, 1472, 28, 50, 58, 184, 1),
    (128, 2, 9, 6, 11, 2, 6),
    (10, 8, 20, 38, 121, 4, 19),
    (70, 100, 25, 15, 92, 24, 3),
    (4, 736, 5, 9, 10, 736, 9),
    (4, 64, 21, 31, 215, 20, 6),
    (2, 4, 1, 1, 1, 2, 1),
    (16, 64, 25, 41, 317, 20, 14),
    (50, 16, 17, 12, 30, 16, 12),
    (4, 128, 31, 8, 61, 64, 1),
    (4, 256, 29, 10, 57, 256, 10),
    (2, 128, 29, 8, 3, 128, 5),
    (4, 16, 6, 8, 12, 16, 8),
]
PATTERN_FREE = (1, 12, 16, 17)
"""Lines whose plan is the same for every uniformly random pattern that was tried."""


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


def published() -> list[dict[str, str]]:
    with (DATA / "static_plan.csv").open() as file:
        return list(csv.DictReader(file))


def random_blocks(shape: tuple[int, int], block_size: int, count: int, seed: int) -> Blocks:
    total = (shape[0] // block_size) * (shape[1] // block_size)
    flat = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    return blocks_from_flat(shape, block_size, flat)


@pytest.mark.parametrize("line", range(19))
def test_every_term_of_the_published_plans(line: int) -> None:
    row = published()[line]
    n_cols, tiles, planned_rows, planned_cols, band_blocks, tiles_of_band, band_cols = INFERRED[line]
    m, n, block, total_tiles = (int(row[name]) for name in ("m", "n", "block", "tiles"))
    n_splits = int(row["best_nSplit"])
    float_data = row["type"] == "float"
    n_padded = round_up(n, 2 if float_data else 4)
    col_edges, tile_edges = np.zeros(n_splits + 1, np.int64), np.zeros(n_splits + 1, np.int64)
    n_intervals = col_intervals(n_padded, n_splits, 2 if float_data else 4, col_edges)
    assert interval_tiles(col_edges, n_intervals, total_tiles, 2, tile_edges)
    assert (n_cols, tiles) in zip(np.diff(col_edges).tolist(), np.diff(tile_edges).tolist(), strict=True)
    terms = np.zeros(N_TERMS, np.int64)
    assert estimate_static(
        m,
        n_padded,
        planned_rows,
        planned_cols,
        min(int(row["numNZBlocks"]) / (planned_rows * planned_cols), 1.0),
        n_cols,
        n_splits > 1,
        int(row["best_kSplit"]),
        band_blocks,
        tiles_of_band,
        band_cols,
        band_cols,
        block,
        float_data,
        row["partials"] == "float",
        total_tiles,
        4,
        2,
        6,
        8,
        NO_UNITS,
        terms,
    )
    assert terms.tolist() == [int(row[name]) for name in COLUMNS]


@pytest.mark.parametrize("line", PATTERN_FREE)
def test_whole_search_finds_the_published_plan(line: int) -> None:
    row = published()[line]
    m, k, n, block, count, tiles = (int(row[name]) for name in ("m", "k", "n", "block", "numNZBlocks", "tiles"))
    blocks = random_blocks((m, k), block, count, 5)
    plan = plan_static(
        blocks,
        n,
        FORMATS[row["type"]],
        Chip(n_tiles=tiles),
        preprocess=row["preproc"] == "1",
        partials=FORMATS[row["partials"]],
    )
    assert plan is not None
    assert (plan.n_splits, plan.n_bands) == (int(row["best_nSplit"]), int(row["best_kSplit"]))
    assert plan.terms.tolist() == [int(row[name]) for name in COLUMNS]


def test_reduction_vectors() -> None:
    with (DATA / "static_sparse.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "reduce"]
    assert len(rows) == 10
    for row in rows:
        cycles = planned_reduce_cycles(
            int(row["m"]), int(row["k"]), row["type"] == "float", row["out_type"] == "float", 6
        )
        assert cycles == int(row["cycles"]), row


def naive_bands(counts: list[int], n_bands: int) -> list[int]:
    share, edges, position = math.ceil(sum(counts) / n_bands), [0], 0
    for _ in range(n_bands):
        held = 0
        while held < share and position < len(counts):
            held += counts[position]
            position += 1
        if held == 0:
            break
        edges.append(position)
    return edges


@pytest.mark.parametrize("seed", range(20))
def test_bands_are_the_greedy_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 6, generator.integers(1, 40))
    cumulative = np.concatenate([[0], np.cumsum(counts)])
    for n_bands in (1, 2, 3, 7, 20):
        edges = np.zeros(n_bands + 1, np.int64)
        found = band_edges(cumulative, n_bands, edges)
        assert edges[: found + 1].tolist() == naive_bands(counts.tolist(), n_bands)


def test_intervals_and_their_tiles() -> None:
    edges, tiles = np.zeros(6, np.int64), np.zeros(6, np.int64)
    assert col_intervals(48, 5, 4, edges) == 4
    assert edges[:5].tolist() == [0, 12, 24, 36, 48]
    assert interval_tiles(edges, 4, 1472, 2, tiles)
    assert tiles[:5].tolist() == [0, 368, 736, 1104, 1472]
    assert col_intervals(20, 5, 4, edges) == 5
    assert not interval_tiles(edges, 5, 8, 2, tiles)


def test_tiles_of_bands() -> None:
    tiles = np.zeros(3, np.int64)
    assert band_tiles(np.array([10, 10, 8]), 3, 28, 2, tiles)
    assert tiles.tolist() == [10, 10, 8]
    assert band_tiles(np.array([7, 7, 7]), 3, 64, 2, tiles)
    assert tiles.tolist() == [8, 8, 48]
    assert not band_tiles(np.array([7, 7, 7]), 3, 4, 2, tiles)


def test_sparse_rows_go_last() -> None:
    order, kept = planning_order(np.array([0, 50, 2, 60, 1, 47]), 160, True)
    assert kept == 3
    assert order.tolist() == [1, 3, 5, 2, 4, 0]
    assert planning_order(np.array([0, 50]), 50, False)[1] == 2
    assert planning_order(np.array([0, 0]), 0, True)[1] == 1


def naive_search(blocks: Blocks, n: int, chip: Chip) -> tuple[int, int, int] | None:
    """The search of the reference, written again with plain lists."""
    counts = np.bincount(blocks.cols, minlength=blocks.grid[1]).tolist()
    n_padded = round_up(n, 4)
    best: tuple[int, int, int] | None = None
    k_grain = 1 if blocks.block_size == 1 else 4
    for n_splits in range(1, min(32, n_padded // 4) + 1):
        size = math.ceil(n_padded // 4 / n_splits) * 4
        starts = list(range(0, n_padded, size))
        widths = [min(size, n_padded - start) for start in starts]
        grains = chip.n_tiles // 2
        shares = []
        for width in widths[:-1]:
            share = max(math.ceil(grains * width / (n_padded + 1)) - 1, math.ceil(grains / len(widths)))
            shares.append(max(0, min(2 * share, chip.n_tiles - sum(shares))))
        shares.append(chip.n_tiles - sum(shares))
        if min(shares) <= 0:
            continue
        for n_bands in range(1, min(128, math.ceil(blocks.grid[1] / k_grain)) + 1):
            if n_splits * n_bands > grains:
                continue
            edges = naive_bands(counts, n_bands)
            held = [sum(counts[a:b]) for a, b in itertools.pairwise(edges)]
            widest = max(sum(c > 0 for c in counts[a:b]) for a, b in itertools.pairwise(edges))
            cycles, memory = 0, 0
            for width, share in set(zip(widths, shares, strict=True)):
                tiles = np.zeros(len(held), np.int64)
                terms = np.zeros(N_TERMS, np.int64)
                if not band_tiles(np.array(held), len(held), share, 2, tiles):
                    break
                fullest = max(range(len(held)), key=lambda band: held[band] / tiles[band])
                if not estimate_static(
                    blocks.shape[0],
                    n_padded,
                    blocks.grid[0],
                    blocks.grid[1],
                    blocks.n_blocks / (blocks.grid[0] * blocks.grid[1]),
                    width,
                    n_splits > 1,
                    n_bands,
                    held[fullest],
                    int(tiles[fullest]),
                    edges[fullest + 1] - edges[fullest],
                    widest,
                    blocks.block_size,
                    False,
                    False,
                    chip.n_tiles,
                    4,
                    2,
                    6,
                    8,
                    NO_UNITS,
                    terms,
                ):
                    break
                cycles, memory = max(cycles, int(terms[8])), max(memory, int(terms[9]))
            else:
                if memory <= int(0.6 * chip.tile_sram_bytes) and (best is None or cycles < best[0]):
                    best = cycles, n_splits, n_bands
    return best


@pytest.mark.parametrize(
    ("shape", "block_size", "count", "n", "tiles"),
    [((40, 60), 1, 300, 12, 64), ((64, 96), 4, 60, 30, 32), ((256, 128), 16, 40, 100, 128), ((30, 30), 1, 1, 4, 16)],
)
def test_compiled_search_is_the_naive_one(
    shape: tuple[int, int], block_size: int, count: int, n: int, tiles: int
) -> None:
    blocks = random_blocks(shape, block_size, count, 1)
    plan = plan_static(blocks, n, "float16", Chip(n_tiles=tiles), preprocess=False)
    assert plan is not None
    assert (int(plan.terms[8]), plan.n_splits, plan.n_bands) == naive_search(blocks, n, Chip(n_tiles=tiles))


def test_fixed_splits_and_no_plan() -> None:
    blocks = random_blocks((64, 64), 4, 50, 2)
    plan = plan_static(blocks, 64, "float16", Chip(), n_splits=2, n_bands=3)
    assert plan is not None
    assert (plan.n_splits, plan.n_bands) == (2, 3)
    assert plan_static(blocks, 64, "float16", Chip(tile_sram_bytes=64)) is None


def test_an_empty_matrix_costs_nothing() -> None:
    plan = plan_static(random_blocks((64, 64), 4, 0, 2), 64, "float16", Chip())
    assert plan is not None
    assert plan.terms[8] == 0
