"""Superstep times of the tiny chip (4 tiles of 2 workers, 4 B per cycle), worked out by hand from the formulas.

With half-precision inputs the tiny AMP has 2 units of 4 input channels, 4 slots per row, 10 slots of worker fill, and
loads its weights in ``2 units * 8 B / 8 B per cycle = 2`` cycles. A barrier takes 10 cycles; nothing else is charged.
"""

import numpy as np
import pytest
from handmade import hand_plan, lower_by_hand, problem_of

from ipusim.chip.load import load_chip
from ipusim.cost.layout import exchange_rows
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

TINY = load_chip("tiny")
HALF = Variant(AMP_1X1, 2, 4, 2, 1)
SINGLE = Variant(AMP_1X1, 2, 2, 2, 1)
SQUARE = Split(1, 2, 1, 2, 1, 1, 0)
"""Two parts of the rows (columns of X), two of the outer channels (rows of W)."""


def _times(program, chip=TINY):
    steps = time_program(program, chip).steps
    return [(step.name, step.count, step.compute_cycles, step.sync_cycles, step.exchange_cycles) for step in steps]


def test_a_product_of_8x16_and_16x8_on_two_by_two_tiles():
    # A tile has 4 rows of 16 inner channels (4 groups) and 4 outer channels (2 groups).
    # Inputs: 4 * 16 elements of 2 B = 128 B, half of them at home: 64 B arrive. Weights: 16 * 4, the same.
    # Exchange: (64 + 64) B / 4 B per cycle = 32 cycles; the tile sends its 128 B in 32 cycles as well.
    # A pass: 2 rows a worker, max(2 * (10 + 4 * 2), 2 * (10 + 4 * 2) + 14) = 50 cycles.
    # A further group of inputs: 15 + 2 * (19 + 1 * (6 + 2 + 50)) = 169.
    # The first one: 11 + 2 * (18 + 1 * (7 + 2 + 50)) = 165.
    # Vertex: 50 + 13 + 3 * 169 + 165 = 735.
    program = lower_by_hand(problem_of(8, 16, 8), TINY, HALF, SQUARE)
    assert _times(program) == [("y/operands", 1, 0, 10, 32), ("y/multiply", 1, 735, 0, 0)]
    assert time_program(program, TINY).cycles == 10 + 32 + 735


def test_a_reduction_over_two_tiles():
    # A tile has 4 rows of 8 inner channels (2 groups) and all 8 outer channels (4 groups).
    # Inputs are not shared. Weights: 8 * 8 elements of 2 B, half at home: 64 B arrive in 16 cycles.
    # Later group: 15 + 4 * 77 = 323; first: 11 + 4 * 77 = 319; vertex: 50 + 13 + 323 + 319 = 705.
    # Partial sums: 4 * 8 elements, each of the two tiles adds up 16 and receives 16 * 2 B in 8 cycles.
    # Reduction, 2 vectors of 8 for 2 workers: a block of 32 B takes a memory element of 1 KiB, and 16 of those are not
    # less than the 16 KiB of the tile: one pointer per partial, 2 * (32 + (3 * 2 + 9 - 1) * 1) = 92.
    program = lower_by_hand(problem_of(8, 16, 8), TINY, HALF, Split(1, 2, 2, 1, 1, 1, 0))
    assert _times(program) == [
        ("y/operands", 1, 0, 10, 16),
        ("y/multiply", 1, 705, 10, 8),
        ("y/reduce 1", 1, 92, 0, 0),
    ]


def test_two_serial_slices_of_the_inner_channels():
    # Single precision, 8 x 8 x 8. A slice of a tile: 4 rows, 4 inner channels (2 groups), 4 outer channels (2 groups).
    # Slices: of each operand, 64 elements over 4 tiles and 2 slices leave 8: 25 + 2 * (39 + 24 + 2 * (4 // 2)) = 159.
    # Exchange: 4 * 4 elements of 4 B, half at home: 32 B in 8 cycles, for each operand.
    # First group clears its outputs, 2 * 8 * 2 = 32 cycles: 11 + 2 * (18 + 7 + 2 + 50 + 32) = 229; later: 169.
    # Vertex: 50 + 13 + 169 + 229 = 461. Add 16 elements in place, 4 vectors of 2 a worker: 11 + 2 * (58 + 4 * 3) = 151.
    program = lower_by_hand(problem_of(8, 8, 8, "float32"), TINY, SINGLE, Split(1, 2, 1, 2, 2, 1, 0))
    assert _times(program) == [
        ("y/operands", 2, 159 + 159, 10, 8 + 8),
        ("y/multiply", 2, 461, 0, 0),
        ("y/accumulate", 2, 151, 0, 0),
    ]
    assert time_program(program, TINY).cycles == 2 * (318 + 10 + 16 + 461 + 151)


def test_two_serial_slices_of_the_outer_channels_after_a_broadcast():
    # Half precision, W of 16 x 8, X of 8 x 8: 4 rows, 8 inner channels (2 groups), 4 outer channels (2 groups) a slice.
    # Before the loop, inputs: 4 * 8 elements of 2 B, half at home: 32 B in 8 cycles.
    # In the loop, weights: 8 * 4 elements of 2 B, half at home: 8 cycles. Slice: 128 / 4 / 2 = 16 elements,
    # 25 + 2 * (39 + 24 + 2 * (8 // 4)) = 159. Vertex: 50 + 13 + 169 + 165 = 397.
    # Update with 4 * 4 elements of the result, in 2 slices: 25 + 2 * (39 + 24 + 2 * (4 // 4)) = 155.
    program = lower_by_hand(problem_of(16, 8, 8), TINY, HALF, Split(1, 2, 1, 2, 1, 2, 1))
    assert _times(program) == [
        ("y/broadcast", 1, 0, 10, 8),
        ("y/operands", 2, 159, 10, 8),
        ("y/multiply", 2, 397, 0, 0),
        ("y/update", 2, 155, 0, 0),
    ]


def test_half_sums_of_a_single_precision_accumulation_are_cast():
    # Half inputs and result, single partial sums, no reduction: 4 * 4 sums are cast on each tile.
    # Vertex: the constants move, not their sum: saved prologue 2 * (7 + 3 * 3) = 32 on top of the 735 of half sums.
    # Cast: 8 elements a worker, 4 vectors of 2 in, 2 of 4 out: 2 * (4 + 26) = 60.
    program = lower_by_hand(problem_of(8, 16, 8, "float16", "float32"), TINY, HALF, SQUARE)
    assert _times(program) == [
        ("y/operands", 1, 0, 10, 32),
        ("y/multiply", 1, 735 + 32, 0, 0),
        ("y/cast", 1, 60, 0, 0),
    ]


def test_bias_and_relu_stay_where_the_product_is():
    # The bias, 8 elements, lies on tile 0, which sends its 16 B in 4 cycles; 4 elements arrive in 2.
    # Sum and relu in one loop: 4 x 4 elements, 2 rows a worker, 1 vector each; a slot for each function, one to load,
    # one to store: 11 + 2 * (26 + 2 * (7 + 4)) = 107.
    workload = {
        "name": "layer",
        "dtype": "float16",
        "tensors": {"w": {"shape": [8, 16]}, "x": {"shape": [16, 8]}, "bias": {"shape": [8, 1]}},
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float16"},
            {"op": "add", "inputs": ["y", "bias"], "output": "shifted"},
            {"op": "relu", "inputs": ["shifted"], "output": "result"},
        ],
        "outputs": ["result"],
    }
    graph = build_graph(load_workload(workload))
    product, *_ = graph.ops
    program = lower_graph(graph, {product.name: hand_plan(problem_of(8, 16, 8), TINY, HALF, SQUARE)}, TINY)
    assert [step[2:] for step in _times(program)] == [(0, 10, 32), (735, 0, 0), (0, 10, 4), (107, 0, 0)]
    trace = time_program(program, TINY)
    assert [trace.op_cycles(op.name) for op in graph.ops] == [777, 0, 121]
    assert trace.by_phase() == {"compute": 735 + 107, "exchange": 36, "sync": 20}


# --- exchange -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sharing", "cycles"), [(False, 48), (True, 24)])
def test_the_tiles_of_a_bus_receive_the_same_inputs_together(sharing, cycles):
    # All four tiles need the same 8 * 16 inputs of 2 B; each has a quarter, 192 B arrive: 48 cycles, or 24 in pairs.
    chip = TINY.replace(tiles_per_exchange_bus=2, exchange_bus_sharing=sharing)
    program = lower_by_hand(problem_of(8, 16, 8), chip, HALF, Split(1, 1, 1, 4, 1, 1, 0))
    assert _times(program, chip)[0] == ("y/operands", 1, 0, 10, cycles)


def test_two_tiles_of_a_bus_that_swap_halves_are_bound_by_sending():
    # Of the 777-cycle product above. Inputs arrive at 8 B per cycle, in 8 cycles, and weights in 16, but every tile
    # sends 128 B at 4 B per cycle.
    chip = TINY.replace(tiles_per_exchange_bus=2, exchange_bus_sharing=True)
    program = lower_by_hand(problem_of(8, 16, 8), chip, HALF, SQUARE)
    trace = time_program(program, chip)
    assert _times(program, chip)[0] == ("y/operands", 1, 0, 10, 32)
    assert trace.steps[0].terms == {"inputs": 8, "weights": 16, "exchange phase": 8, "sync": 10}


@pytest.mark.parametrize(("tiles_per_row", "rows"), [(1, [0, 1, 2, 3]), (2, [0, 1, 1, 0]), (4, [0, 0, 0, 0])])
def test_far_rows_are_reached_later(tiles_per_row, rows):
    # Tiles snake up and down through columns of four, two or one row.
    assert exchange_rows(4, tiles_per_row, 1).tolist() == rows
    chip = TINY.replace(tiles_per_exchange_row=tiles_per_row, exchange_row_cycles=3)
    trace = time_program(lower_by_hand(problem_of(8, 16, 8), chip, HALF, SQUARE), chip)
    assert trace.steps[0].tile_exchange.tolist() == [32 + 3 * row for row in rows]
    assert trace.steps[0].exchange_cycles == 32 + 3 * max(rows)


@pytest.mark.parametrize(("control", "cycles"), [(0, 32), (10, 32), (16, 32), (17, 34), (100, 200)])
def test_fragments_take_control_instructions_beside_the_payload(control, cycles):
    # Two fragments arrive at each tile, a piece of the inputs and one of the weights.
    chip = TINY.replace(exchange_control_cycles_per_fragment=control)
    program = lower_by_hand(problem_of(8, 16, 8), chip, HALF, SQUARE)
    assert _times(program, chip)[0] == ("y/operands", 1, 0, 10, cycles)


def test_overheads_are_charged_once_per_phase():
    # Mux 5, tail 7 and the rest 11 for the exchange; 13 for each compute set but that of the AMP, which includes it.
    chip = TINY.replace(
        exchange_mux_cycles=5, exchange_tail_cycles=7, exchange_phase_overhead_cycles=11, compute_set_overhead_cycles=13
    )
    program = lower_by_hand(problem_of(8, 16, 8), chip, HALF, Split(1, 2, 2, 1, 1, 1, 0))
    assert _times(program, chip) == [
        ("y/operands", 1, 0, 10, 16 + 23),
        ("y/multiply", 1, 705, 10, 8 + 23),
        ("y/reduce 1", 1, 92 + 13, 0, 0),
    ]


def test_stragglers_are_visible():
    # 7 columns of X in 2 parts are 4 and 3. With 3 rows a pass is max(2 * (10 + 4 * 2), 2 * (10 + 4 * 1) + 14) = 42:
    # 50 + 13 + 3 * (15 + 2 * (19 + 8 + 42)) + 11 + 2 * (18 + 9 + 42) = 671.
    program = lower_by_hand(problem_of(8, 16, 7), TINY, HALF, SQUARE)
    trace = time_program(program, TINY)
    assert trace.steps[1].tile_compute.tolist() == [735, 735, 671, 671]
    assert trace.steps[1].compute_cycles == 735
    assert trace.idle_fraction() == pytest.approx(32 / 735)


def test_idle_tiles_count_as_waiting():
    program = lower_by_hand(problem_of(8, 16, 8), TINY, HALF, Split(1, 1, 1, 1, 1, 1, 0))
    trace = time_program(program, TINY)
    assert (trace.steps[0].tile_compute > 0).tolist() == [True, False, False, False]
    assert trace.idle_fraction() == pytest.approx(0.75)
    assert np.array_equal(trace.busy(), trace.steps[0].tile_compute)
