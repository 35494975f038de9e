"""Plans of products of 8 bits: geometry, cycles by hand, and what is cheaper than in 16 bits."""

import pytest
from conv_by_hand import graph_of
from conv_by_hand import hand_plan as conv_plan_by_hand
from handmade import hand_plan, lower_by_hand

from ipusim.chip.load import load_chip
from ipusim.engine.charges import NONE
from ipusim.engine.timing import time_program
from ipusim.lower.lowering import lower_graph
from ipusim.plan.conv import conv_variants
from ipusim.plan.conv_estimate import ConvSplit
from ipusim.plan.dense import plan_matmul, variants_of
from ipusim.plan.dense_estimate import AMP_1X1, AMP_NX1, Split
from ipusim.plan.problem import MatMulProblem

E4M3 = "float8_e4m3fnuz"
QUARTER = {
    "inputs": "float8",
    "partials": "float16",
    "units": 2,
    "in_channels": 8,
    "cycles_per_row": 4,
    "worker_fill_slots": 10,
}
TINY = load_chip("tiny", tile_sram_bytes="1 MiB", amp_modes=[QUARTER])
C600 = load_chip("c600")
WHOLE = Split(1, 1, 1, 1, 1, 1, 0)


def problem(m, k, n, dtype=E4M3):
    return MatMulProblem(1, m, k, n, dtype, "float16", "float16")


def test_the_amp_alone_multiplies_8_bits():
    vertices = {(each.vertex, each.units, each.inner_channels) for each in variants_of(problem(64, 8, 4), C600)}
    assert vertices == {(AMP_1X1, 16, 32), (AMP_NX1, 16, 16), (AMP_NX1, 16, 8)}
    assert {each.inner_channels for each in variants_of(problem(64, 64, 64), C600)} == {32}
    assert not variants_of(problem(64, 64, 64), load_chip("bow"))


def test_a_product_on_one_tile_by_hand():
    """6 rows, 16 channels in (2 groups of 8), 4 channels out (2 groups of 2 units), 2 workers with 3 rows each.

    A worker takes 44 slots to accumulate, 39 to overwrite; both at once 2 x 44 + 14 and 2 x 39 + 14 cycles. Weights of
    two units, 16 bytes, load in 2 cycles. Set-up of an output group: 6 x 2 + 10, 14 x 2 + 11 + 36; of a further input
    group: 11 x 2 + 6 + 36; of the vertex: 46, and 2 x 2 + 9 for the group of convolutions.
    """
    variant = next(each for each in variants_of(problem(6, 16, 4), TINY) if not each.swapped)
    plan = hand_plan(problem(6, 16, 4), TINY, variant, WHOLE)
    overwrite, accumulate = 2 * 39 + 14, 2 * 44 + 14
    by_hand = 46 + 13 + 2 * ((22 + 75 + 2 + overwrite) + (64 + 2 + accumulate))
    assert plan.estimate.amp == by_hand == 777
    program = lower_by_hand(problem(6, 16, 4), TINY, variant, WHOLE)
    terms = time_program(program, TINY, NONE).terms()
    assert terms["amp"] == by_hand


@pytest.mark.parametrize("split", [Split(1, 2, 2, 1, 1, 1, 0), Split(1, 1, 2, 2, 1, 1, 0), Split(1, 2, 1, 1, 1, 2, 0)])
@pytest.mark.parametrize("index", [0, -1])
def test_terms_of_plan_and_program_agree(split, index):
    some = problem(64, 64, 64)
    variant = variants_of(some, TINY)[index]
    plan = hand_plan(some, TINY, variant, split)
    terms = time_program(lower_by_hand(some, TINY, variant, split), TINY, NONE).terms()
    for term in ("amp", "inputs", "weights", "slice", "update"):
        assert terms.get(term, 0) == getattr(plan.estimate, term), term


@pytest.mark.parametrize("kernel", [1, 3])
def test_terms_of_convolutions_agree(kernel):
    attributes = {"stride": [kernel, kernel], "partials": "float16"}
    workload = {
        "name": "t",
        "dtype": E4M3,
        "tensors": {"x": {"shape": [1, 16, 8 * kernel, 64 * kernel]}, "w": {"shape": [16, 16, kernel, kernel]}},
        "ops": [{"op": "conv2d", "name": "y", "inputs": ["x", "w"], "output": "y", **attributes}],
    }
    graph, found = graph_of(workload)
    assert found.output_format == "float16"
    for variant in conv_variants(found, TINY):
        plan = conv_plan_by_hand(found, TINY, variant, ConvSplit(1, 1, 1, 2, 1, 1, 2))
        terms = time_program(lower_graph(graph, {"y": plan}, TINY), TINY, NONE).terms()
        assert terms["amp"] == plan.estimate.amp
        assert terms["inputs"] == plan.estimate.inputs


def test_8_bits_halve_exchange_and_nearly_double_the_rate():
    wide, narrow = (plan_matmul(problem(2048, 2048, 2048, dtype), C600) for dtype in ("float16", E4M3))
    assert 1.4 < wide.cycles / narrow.cycles < 2.0
    same = [
        hand_plan(problem(2048, 2048, 2048, dtype), C600, variants_of(problem(64, 64, 64, dtype), C600)[0], wide.split)
        for dtype in ("float16", E4M3)
    ]
    assert same[0].estimate.weights == pytest.approx(2 * same[1].estimate.weights, abs=2)
