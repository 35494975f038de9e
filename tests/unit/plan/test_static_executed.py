"""Executed cycles and memory of static sparse matmuls."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from test_static_partition import Chip, blocks_of, partition

from ipusim.codelets.static_block import static_block_cycles, static_zeroing_cycles
from ipusim.plan.static_executed import StaticCycles, executed_cycles
from ipusim.plan.static_memory import metadata_bytes, static_memory
from ipusim.plan.static_partition import StaticPartition, partition_static
from ipusim.plan.static_reduction import plan_reduction
from ipusim.plan.static_search import plan_static


@dataclass
class Overheads:
    exchange_phase_cycles: int = 1000
    compute_set_cycles: int = 100


def dense_grid(n: int, tiles: int, n_splits: int, n_bands: int) -> StaticPartition:
    return partition(blocks_of((8, 8), 4, list(range(64))), n, tiles, n_splits=n_splits, n_bands=n_bands)


def test_terms_of_a_case_by_hand() -> None:
    # 8x8 blocks of 4, one band, 8 tiles: a block row per tile, nothing to add up.
    cycles = executed_cycles(dense_grid(4, 8, 1, 1), Chip(n_tiles=8), Overheads())
    assert cycles == StaticCycles(
        gather=8 * 4 * 4 * 2 // 4,
        non_zeros=0,
        multiply=static_block_cycles(1, 8, 1, 4, False, 6, 8),
        copy=4 * 4 * 2 // 4,
        reduce_exchange=0,
        reduce=0,
        move=0,
        exchange_phases=2 * 1000,
        compute_sets=100,
    )
    assert cycles.total == sum(getattr(cycles, field.name) for field in fields(cycles))


def test_two_bands_are_added_up() -> None:
    # Two bands on 8 tiles each: every row has two partial sums of 4x4 values.
    cycles = executed_cycles(dense_grid(4, 16, 1, 2), Chip(n_tiles=16), Overheads())
    assert cycles.gather == 4 * 4 * 4 * 2 // 4
    assert cycles.copy == 0
    # The result is 8 rows of 16 values, on 8 tiles: reduced there, over 6 workers of which two have 8 values.
    assert cycles.reduce_exchange == 2 * 16 * 2 // 4
    assert cycles.reduce == 6 * (16 + 2 * 15)
    assert cycles.exchange_phases == 2 * 1000
    assert cycles.compute_sets == 200


def test_shared_non_zeros_arrive_in_a_phase_of_their_own_for_blocks_only() -> None:
    blocky = executed_cycles(dense_grid(8, 16, 2, 1), Chip(n_tiles=16), Overheads())
    assert blocky.non_zeros == 8 * 16 * 2 // 4
    assert blocky.exchange_phases == 3 * 1000
    single = partition(blocks_of((8, 8), 1, list(range(64))), 8, 16, n_splits=2, n_bands=1)
    cycles = executed_cycles(single, Chip(n_tiles=16), Overheads())
    assert cycles.non_zeros == 0
    assert cycles.gather == (8 * 4 * 2 + 8 * 2) // 4
    assert cycles.exchange_phases == 2 * 1000


def test_wide_float_blocks_are_zeroed_first() -> None:
    blocks = blocks_of((4, 4), 16, list(range(16)))
    chip = Chip(n_tiles=4)
    plan = plan_static(blocks, 4, "float32", chip, n_splits=1, n_bands=1)
    assert plan is not None
    cycles = executed_cycles(partition_static(blocks, plan, chip), chip, Overheads())
    assert cycles.multiply == static_block_cycles(1, 4, 1, 16, True, 6, 8) + static_zeroing_cycles(16 * 4, 6)


def test_nothing_to_do() -> None:
    blocks = blocks_of((4, 4), 4, [])
    chip = Chip(n_tiles=4)
    plan = plan_static(blocks, 4, "float16", chip)
    assert plan is not None
    parts = partition_static(blocks, plan, chip)
    assert executed_cycles(parts, chip, Overheads()).total == 0
    assert static_memory(parts, plan_reduction(parts, chip), chip).gathered == 0


@pytest.mark.parametrize("block_size", [1, 4])
def test_faster_exchange_and_fewer_overheads_are_never_slower(block_size: int) -> None:
    flat = np.random.default_rng(1).permutation(1600)[:400]
    parts = partition(blocks_of((40, 40), block_size, flat), 24, 64)
    chip = Chip(n_tiles=64)
    base = executed_cycles(parts, chip, Overheads())
    wide = executed_cycles(parts, replace(chip, exchange_bytes_per_cycle=8), Overheads())
    assert wide.gather <= base.gather
    assert wide.multiply == base.multiply
    assert executed_cycles(parts, chip, Overheads(0, 0)).total == base.total - base.exchange_phases - base.compute_sets


def test_metadata_tables() -> None:
    assert metadata_bytes(1, np.array([10]), np.array([50]), 6).tolist() == [2 * (36 + 10 + 50)]
    assert metadata_bytes(16, np.array([4]), np.array([12]), 6).tolist() == [2 * (12 + 1 + 8 + 12)]


def test_memory_by_hand() -> None:
    chip = Chip(n_tiles=16)
    parts = dense_grid(4, 16, 1, 2)
    memory = static_memory(parts, plan_reduction(parts, chip), chip)
    assert memory.tensors == (32 + 32) * 4 * 2 // 16 + 4 * 16 * 2
    assert memory.gathered == 4 * 4 * 4 * 2 + 16
    assert memory.copied_non_zeros == 0
    assert memory.partials == 16 * 2
    assert memory.metadata == 2 * (13 + 2 + 4)
    assert memory.received == 2 * 16 * 2
    assert memory.live_bytes == memory.multiply_bytes > memory.reduce_bytes
