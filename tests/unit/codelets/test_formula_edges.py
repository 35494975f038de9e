"""Where formulas change over: no rows, the least that takes the quick way, one more than a whole vector; by hand.

Sources as in the modules: the numbers are those of the published estimators' branches, worked out for one case each.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ipusim.codelets import (
    amp_1x1,
    amp_nx1,
    dynamic_element_wise,
    dynamic_element_wise_transpose,
    heap_top_k,
    outer_product,
    reduce_max_class_gather,
    slic,
)
from ipusim.codelets.dynamic_block_grad_w import amp_grad_w_cycles
from ipusim.codelets.registry import codelet

CHIP = SimpleNamespace(
    worker_contexts=6, data_path_bytes=8, amp_load_bytes_per_cycle=8, amp_weight_bytes_per_unit=32, amp_modes=()
)


def test_workers_of_amp_1x1_with_floats() -> None:
    # an item of no rows; one row; two, without the 8 slots of each further one; sums are cleared in the first group
    assert [amp_1x1.worker_cycles(n, False, 8, True, True) for n in (0, 1, 2, 3, 5)] == [24, 47, 46, 46, 62]
    assert [amp_1x1.worker_cycles(n, True, 8, True, True) for n in (0, 1, 2, 3)] == [24, 47 + 6, 46 + 10, 46 + 14]
    # 16 units clear eight a row; 8 units with half sums two
    assert [amp_1x1.worker_cycles(2, True, units, True, wide) for units, wide in ((16, True), (8, False))] == [64, 52]


def test_workers_of_amp_1x1_with_halves() -> None:
    # the prologue of seven slots is saved
    assert [amp_1x1.worker_cycles(n, False, 16, False, False) for n in (0, 1, 2, 3, 5)] == [15, 26, 35, 31, 39]
    assert [amp_1x1.worker_cycles(n, True, 8, False, True) for n in (0, 1, 2, 3)] == [14, 25, 34, 30]
    # and kept by 8 units with half sums
    assert [amp_1x1.worker_cycles(n, False, 8, False, False) for n in (0, 1, 2, 3, 5)] == [24, 39, 40, 41, 49]
    assert [amp_1x1.worker_cycles(n, True, 8, False, False) for n in (0, 1, 2, 3)] == [24, 43, 46, 49]


def test_passes_of_quarters_are_output_groups() -> None:
    fields = {"rows": 20, "conv_groups": 2, "in_groups": 3, "out_groups": 2}
    settings = {"inputs": "float8_e4m3", "partials": "float16", "units": 16, "in_channels": 32, "passes": 3}
    expected = amp_1x1.quarter_vertex_cycles(20, 2, 3, 6, 64, 6)
    assert codelet("amp_1x1").cycles(fields, settings, CHIP) == expected
    assert amp_1x1.quarter_vertex_cycles(20, 2, 3, 7, 64, 6) - expected == (
        expected - amp_1x1.quarter_vertex_cycles(20, 2, 3, 5, 64, 6)
    )


def test_items_of_amp_nx1() -> None:
    # 3 - 9 around 17, 29 and 33 for halves, 33 and 44 for floats
    assert [amp_nx1.item_cycles(n, 16, False, False) for n in (0, 1, 2, 3, 5)] == [11, 23, 28, 28, 36]
    assert [amp_nx1.item_cycles(n, 16, True, True) for n in (0, 1, 2, 3, 5)] == [11, 27, 38, 39, 55]
    # a slot more for two rows where 8 units have float sums, or 16 half sums
    assert [amp_nx1.item_cycles(2, units, False, wide) for units, wide in ((8, True), (8, False), (16, True))] == [
        28,
        27,
        27,
    ]
    assert [amp_nx1.quarter_item_cycles(n) for n in (0, 1, 2, 3, 4)] == [20, 34, 39, 43, 47]
    assert [amp_nx1.kernel_load_cycles(height) for height in (1, 2, 3, 4, 8)] == [15, 46, 60, 60, 160]


@pytest.mark.parametrize(
    ("z", "float_input", "loop", "bare"),
    [
        # slots of the inner loop for a non-zero, and everything, for 3 rows of 5 non-zeros in one list
        (4, True, 3, 25 + 3 * 28),
        (2, True, 2, 27 + 3 * 21),
        (6, True, 9, 30 + 3 * (13 + 3 + 12 + 15 + 8 + 30)),
        (8, False, 3, 28 + 3 * 30),
        (4, False, 2, 30 + 3 * 21),
        (16, False, 6, 33 + 3 * (12 + 16 + 30)),
    ],
)
def test_gather_units_shorten_the_inner_loop_alone(z: int, float_input: bool, loop: int, bare: int) -> None:
    slots = dynamic_element_wise.forward_worker_slots
    assert slots(3, z, 1, 5, float_input) == bare
    assert slots(3, z, 1, 5, float_input, 0) == bare
    gathered = -(-5 * z // 16)
    assert gathered < 5 * loop
    assert slots(3, z, 1, 5, float_input, 16) == bare - 3 * (5 * loop - gathered)
    # units that are slower than the loop are not used
    assert slots(3, z, 1, 5, float_input, 1) == bare - 3 * max(0, 5 * loop - 5 * z)


def test_scattering_of_few_columns() -> None:
    slots = dynamic_element_wise_transpose.transpose_worker_slots
    assert slots(3, 2, 2, 5, True) == 23 + 3 * (24 + 16 + 5 * 5)
    assert slots(3, 5, 2, 5, False) == 26 + 3 * (22 + 16 + 7 * 5 + 8 * 5)


def test_gradients_of_large_blocks_on_16_units() -> None:
    # 33 columns are three chunks of 16 halves: 32 slots each, four shared; 15 + 8 + 3 * (8 + 32) of the supervisor
    supervisor = amp_grad_w_cycles(1, 1, 1, 33, 1, 1, 16, False, False, 16, 0)
    assert amp_grad_w_cycles(1, 1, 1, 33, 1, 1, 16, False, False, 16, 6) == supervisor + 6 * (5 + 3 * 32 - 2 * 4)
    longer = amp_grad_w_cycles(1, 1, 1, 33, 1, 2, 16, False, False, 16, 0)
    assert longer - supervisor == 10 + 15 + 8 + 3 * (8 + 32)


def test_heaps_of_one_less_than_a_power_of_two() -> None:
    # three are kept: 1024 / 3 = 2^8.4, and an element sinks two levels of 8 slots
    sunk = 2 * 3 + heap_top_k.replacements(1024, 3)
    assert heap_top_k.worker_cycles(1024, 3) == 30 + 3 * 1024 + sunk * 2 * 8
    # the largest of six: an element for each worker
    gather = reduce_max_class_gather.vertex_cycles
    assert heap_top_k.vertex_cycles(1, 6, 1, 6) == gather(6, 1, 6) + gather(6, 6, 6)


def test_the_fewest_channels_of_the_quick_outer_product() -> None:
    # floats by pairs from 6 on, halves by fours from 12 on
    found = [outer_product.worker_cycles(3, n, 2, True) for n in (4, 5, 6, 7, 8)]
    assert found == [25 + 2 * (11 + 3 * slots) for slots in (18, 20, 6, 24, 7)]
    found = [outer_product.worker_cycles(3, n, 2, False) for n in (8, 9, 10, 12, 14, 16)]
    assert found == [25 + 2 * (10 + 3 * slots) for slots in (30, 32, 35, 6, 45, 7)]


def test_rows_of_two_chains() -> None:
    # five rows of half sums in two chains are still the short loop; six are not
    assert [slic.row_cycles(n, 1, True, True) for n in (1, 2, 5, 6)] == [13, 15, 18, 16]
    assert [slic.row_cycles(n, 1, False, True) for n in (4, 5, 6)] == [17, 15, 16]
    assert [slic.row_cycles(n, 2, False, False) for n in (1, 2, 3, 4)] == [13, 15, 15, 17]


def test_loops_in_place_of_floats() -> None:
    for op, slots in (("tanh", 10), ("relu", 2), ("abs", 1)):
        settings = {"op": op, "dtype": "float32", "in_place": True}
        assert codelet("unary_1d").cycles({"elements": 96}, settings, CHIP) == 20 + 6 * (55 + 8 * slots)


def test_pieces_at_the_end_of_a_worker() -> None:
    # 3 lines of 5 on two workers: 5 and 2, or 3 and 5 elements
    for units, floats, partials in ((16, False, False), (8, False, True), (8, True, True)):
        slots = [amp_nx1.worker_cycles(each, units, floats, partials) for each in ((5, 2), (3, 5))]
        assert amp_nx1.field_slots(3, 5, units, floats, partials, 2) == (max(slots), min(slots))


def test_every_pass_of_quarters_runs_at_every_position() -> None:
    found = [amp_nx1.quarter_vertex_cycles(61, 40, 1, 1, 1, passes, 64, 3, 2, 6) for passes in (1, 3)]
    assert found[1] - found[0] == 2 * (3 * 2) * 6 * 61
