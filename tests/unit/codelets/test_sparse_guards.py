"""Sparse vertices: narrow batches, which have loops of their own, and what timing asks of the registered vertices."""

from __future__ import annotations

from typing import Any

import pytest

from ipusim.chip.load import load_chip
from ipusim.codelets.dynamic_block import block_cycles, conv_units_of
from ipusim.codelets.dynamic_block_grad_w import (
    amp_grad_w_cycles,
    amp_pieces_cycles,
    block_grad_w_worker_slots,
    plain_piece_slots,
)
from ipusim.codelets.dynamic_element_wise import (
    chunked_worker_slots,
    forward_worker_slots,
    grad_a_worker_slots,
    non_zero_slots,
)
from ipusim.codelets.dynamic_element_wise_grad_w import grad_w_worker_slots
from ipusim.codelets.dynamic_element_wise_transpose import transpose_worker_slots
from ipusim.codelets.registry import codelet
from ipusim.codelets.sparse_bucket_transpose import bucket_transpose_cycles
from ipusim.codelets.sparse_gather import gather_cycles
from ipusim.codelets.sparse_zero import zero_executed_cycles
from ipusim.codelets.static_block import static_block_cycles, static_zeroing_cycles

BOW = load_chip("bow")
HALF: dict[str, Any] = {"inputs": "float16", "partials": "float32"}


# 3 rows of 5 non-zeros in one list; slots by the formulas of the published library (one list, so y_sum = 5)
@pytest.mark.parametrize(
    ("z", "float_input", "forward", "grad_a", "grad_w"),
    [
        (4, True, 25 + 3 * 28, 23 + 3 * 28, 30 + 3 * 34),
        (2, True, 27 + 3 * 21, 25 + 3 * 21, 32 + 3 * 27),
        (8, False, 28 + 3 * 30, 26 + 3 * 30, 30 + 3 * 36),
        (4, False, 30 + 3 * 21, 28 + 3 * 21, 32 + 3 * 30),
    ],
)
def test_narrow_batches_by_hand(z: int, float_input: bool, forward: int, grad_a: int, grad_w: int) -> None:
    assert forward_worker_slots(3, z, 1, 5, float_input) == forward
    assert grad_a_worker_slots(3, z, 1, 5, float_input) == grad_a
    assert grad_w_worker_slots(3, z, 5, float_input) == grad_w
    # what the assembly takes for 15 non-zeros in all: the same loops, set up once for each row
    assert chunked_worker_slots(3, z, 15, float_input) == forward


def test_wide_batches_by_hand() -> None:
    # a non-zero over 14 halves: a chunk of 8 in 3 slots, one of 4 in 2, two single columns in 4
    assert [non_zero_slots(z, False) for z in (14, 8, 4, 3)] == [9, 3, 2, 6]
    # the published estimate counts all pairs of floats once more where one is left: 7 // 2 * 2
    assert [non_zero_slots(z, True) for z in (7, 4, 3, 2, 1)] == [3 + 6 + 2, 3, 4, 2, 2]
    assert chunked_worker_slots(3, 20, 15, False) == 33 + 3 * (13 + 2 * 17 + 15) + 15 * (2 * 3 + 2)
    assert chunked_worker_slots(3, 10, 15, True) == 30 + 3 * (13 + 2 * 12 + 12) + 15 * (2 * 3 + 2)
    assert grad_w_worker_slots(3, 11, 5, False) == 35 + 3 * (8 + (11 + 2 + 3 + 4) * 5)
    assert grad_w_worker_slots(3, 7, 5, True) == 34 + 3 * (9 + (9 + 3 + 1) * 5)


def test_scattering_by_hand() -> None:
    assert transpose_worker_slots(3, 8, 1, 5, False) == 20 + 3 * (18 + 50)
    assert transpose_worker_slots(3, 4, 1, 5, False) == 20 + 3 * (21 + 35)
    assert transpose_worker_slots(3, 14, 2, 5, False) == 26 + 3 * (22 + 16 + 17 * 5 + 11 * 5)
    assert transpose_worker_slots(3, 3, 2, 5, False) == 26 + 3 * (22 + 16 + 14 * 5)
    assert transpose_worker_slots(3, 7, 2, 5, True) == 23 + 3 * (24 + 16 + 11 * 5 + 4 * 5)
    assert transpose_worker_slots(3, 1, 2, 5, True) == 23 + 3 * (24 + 16 + 4 * 5)


@pytest.mark.parametrize(
    ("name", "own_cycles"),
    [("dynamic_element_wise", 93), ("dynamic_element_wise_transpose", 112)],
)
def test_element_wise_vertices_scan_what_is_not_theirs(name: str, own_cycles: int) -> None:
    fields = {"own_sub_groups": 2, "other_sub_groups": 5, "worker_slots": 100}
    assert codelet(name).cycles(fields, HALF, BOW) == 30 + 2 * own_cycles + 5 * 32 + 600


def test_the_gradient_vertex_scans_nothing() -> None:
    fields = {"own_sub_groups": 2, "worker_slots": 100}
    assert codelet("dynamic_element_wise_grad_w").cycles(fields, HALF, BOW) == 75 + 2 * 26 + 600


@pytest.mark.parametrize("block_size", [4, 8, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_block_vertex_of_one_sub_group_is_the_estimate(block_size: int, transposed: bool) -> None:
    # the estimate of a bucket with one sub-group: 3 rows of 4 blocks, 7 columns on the slowest worker
    fields = {"own_sub_groups": 1, "other_sub_groups": 0, "rows": 3, "blocks": 12, "worker_cols": 7}
    settings = HALF | {"block_size": block_size, "transposed": transposed}
    units = conv_units_of(BOW, "float16", "float32")
    estimate = block_cycles(1, 1, 1, 3, 7, 4, block_size, False, True, units, not transposed, 6)
    cycles = codelet("dynamic_block").cycles
    assert cycles(fields, settings, BOW) == estimate
    # sub-groups of others cost a look; a further one of its own only its start; without one there is nothing else
    assert cycles(fields | {"other_sub_groups": 4}, settings, BOW) == cycles(fields, settings, BOW) + 4 * 33
    more = [cycles(fields | {"own_sub_groups": own}, settings, BOW) for own in (1, 2, 3)]
    assert more[1] - more[0] == more[2] - more[1] > 102
    assert cycles(fields | {"own_sub_groups": 0, "other_sub_groups": 3}, settings, BOW) == 42 + 99


def test_no_such_amp_has_no_units() -> None:
    assert conv_units_of(BOW, "float16", "float16") == 16
    assert conv_units_of(BOW, "bfloat16", "float16") == 0


def test_gradients_of_blocks_are_linear_in_rows_and_blocks() -> None:
    formats = (8, False, True)
    assert plain_piece_slots(1, 5, 16, *formats) == block_grad_w_worker_slots(1, 16, 5, *formats)
    more = [plain_piece_slots(rows, 5, 16, *formats) for rows in (1, 2, 3)]
    assert more[2] - more[1] == more[1] - more[0] > 0
    # 3 rows of 4 blocks in one sub-group: the estimate counts the loop over rows once more for each of them
    whole = amp_pieces_cycles(1, 3, 12, 32, 16, False, True, 8, 6)
    assert whole + 75 == amp_grad_w_cycles(1, 1, 3, 32, 1, 4, 16, False, True, 8, 6)
    pieces = [amp_pieces_cycles(n, 3, 12, 32, 16, False, True, 8, 6) for n in (1, 2, 3)]
    assert pieces[2] - pieces[1] == pieces[1] - pieces[0]


def test_registered_gradients_of_blocks() -> None:
    fields = {"own_sub_groups": 2, "rows": 3, "blocks": 12, "worker_slots": 100, "cols": 32}
    units = conv_units_of(BOW, "float16", "float32")
    amp = amp_pieces_cycles(2, 3, 12, 32, 8, False, True, units, 6)
    plain, fast = HALF | {"block_size": 8, "amp": False}, HALF | {"block_size": 8, "amp": True}
    assert codelet("dynamic_block_grad_w").cycles(fields, plain, BOW) == 75 + 2 * 26 + 600
    assert codelet("dynamic_block_grad_w").cycles(fields, fast, BOW) == 75 + amp
    # the pattern of a static tensor is a table: no sub-groups
    one = amp_pieces_cycles(1, 3, 12, 32, 8, False, True, units, 6)
    static = codelet("static_block_grad_w").cycles
    assert static(fields, HALF | {"vertex_block_size": 8, "amp": False}, BOW) == 75 + 600
    assert static(fields, HALF | {"vertex_block_size": 8, "amp": True}, BOW) == 75 - 26 + one
    assert codelet("static_element_wise_grad_w").cycles({"worker_slots": 100}, HALF, BOW) == 75 + 600


def test_registered_vertices_of_buckets() -> None:
    settings = HALF | {"block_size": 8}
    assert codelet("sparse_bucket_transpose").cycles({"blocks": 5}, settings, BOW) == bucket_transpose_cycles(
        5, 8, 8, False, 6
    )
    assert codelet("sparse_gather").cycles({"indices": 50}, settings, BOW) == gather_cycles(50, False, 6)
    assert codelet("sparse_zero").cycles({"partials": 50}, settings, BOW) == zero_executed_cycles(50, 2, 6)


@pytest.mark.parametrize(("block_size", "zeroed"), [(4, False), (8, True), (16, True)])
def test_a_static_block_vertex_zeroes_its_float_sums(block_size: int, zeroed: bool) -> None:
    fields = {"rows": 3, "blocks": 12, "worker_cols": 7, "cols": 40}
    cycles = codelet("static_block").cycles
    bare = static_block_cycles(3, 12, 7, block_size, False, 6, BOW.amp_load_bytes_per_cycle)
    zeroing = static_zeroing_cycles(3 * block_size * 40, 6) if zeroed else 0
    assert cycles(fields, HALF | {"block_size": block_size}, BOW) == bare + zeroing
    halves = {"inputs": "float16", "partials": "float16", "block_size": block_size}
    assert cycles(fields, halves, BOW) == bare
