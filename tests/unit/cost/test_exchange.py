"""Cycles of an exchange, and of what a dynamic product adds to its own."""

from __future__ import annotations

import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import DynamicOverheads, dynamic_overheads
from ipusim.cost.exchange import rate_sixteenths, receive_cycles


@pytest.mark.parametrize(("rate", "sixteenths"), [(4.0, 64), (5.5, 88), (0.0625, 1), (0.01, 1), (0.1, 2)])
def test_rates_are_whole_sixteenths_of_a_byte_and_never_nothing(rate: float, sixteenths: int) -> None:
    assert rate_sixteenths(rate) == sixteenths


def test_a_part_of_a_cycle_is_a_cycle() -> None:
    # 4 bytes per cycle, then 5.5: 110 bytes are 20 cycles of it
    assert [receive_cycles(n_bytes, 64) for n_bytes in (0, 1, 4, 100, 101)] == [0, 1, 1, 25, 26]
    assert [receive_cycles(n_bytes, 88) for n_bytes in (110, 111)] == [20, 21]


@pytest.mark.parametrize(("n_tiles", "further_rows"), [(16, 0), (17, 1), (32, 1), (33, 2)])
def test_a_phase_waits_for_the_barrier_and_the_furthest_row(n_tiles: int, further_rows: int) -> None:
    named = {
        "n_tiles": n_tiles,
        "tiles_per_exchange_row": 16,
        "sync_cycles": 10_000,
        "exchange_mux_cycles": 2_000,
        "exchange_tail_cycles": 300,
        "exchange_phase_overhead_cycles": 40,
        "exchange_row_cycles": 5,
        "compute_set_overhead_cycles": 70,
        "exchange_bucket_gap_cycles": 8,
    }
    chip = load_chip("bow").model_copy(update=named)
    assert dynamic_overheads(chip) == DynamicOverheads(12_340 + 5 * further_rows, 70, 8)


def test_control_of_a_call_and_of_a_step() -> None:
    overheads = DynamicOverheads(1000, 10, 0)
    assert (overheads.control_cycles, overheads.step_cycles) == (3060, 5090)
