"""What a matmul is lowered to: its supersteps, its formats, transposed and shared operands."""

import numpy as np
import pytest
from handmade import document, lower_by_hand, problem_of

from ipusim.chip.load import load_chip
from ipusim.ir.program import Repeat
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dense_estimate import AMP_1X1, AMP_NX1, HMAC, OUTER_PRODUCT, Split, Variant

TINY = load_chip("tiny", n_tiles=64)
BOW = load_chip("bow")
HALF = Variant(AMP_1X1, 2, 4, 2, 1)


def _names(program):
    return [step.name.partition("/")[2] for step, _ in program.supersteps()]


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (Split(1, 1, 1, 1, 1, 1, 0), ["multiply"]),
        (Split(1, 2, 1, 2, 1, 1, 0), ["operands", "multiply"]),
        (Split(1, 2, 3, 2, 1, 1, 0), ["operands", "multiply", "reduce 1"]),
        (Split(1, 2, 16, 2, 1, 1, 0), ["operands", "multiply", "reduce 1", "reduce 2"]),
        (Split(1, 2, 1, 2, 3, 1, 0), ["operands", "multiply", "accumulate"]),
        (Split(1, 2, 4, 2, 3, 1, 0), ["operands", "multiply", "reduce 1", "accumulate"]),
        (Split(1, 2, 1, 2, 1, 2, 0), ["operands", "multiply", "update"]),
        (Split(1, 2, 1, 2, 1, 2, 1), ["broadcast", "operands", "multiply", "update"]),
        # With one part of the outer channels there is nobody to broadcast to.
        (Split(1, 2, 1, 1, 1, 2, 1), ["operands", "multiply", "update"]),
    ],
)
def test_supersteps_follow_from_the_split(split, names):
    program = lower_by_hand(problem_of(16, 192, 8), TINY, HALF, split)
    assert _names(program) == names
    loops = [step for step in program.steps if isinstance(step, Repeat)]
    slices = split.s_inner * split.s_outer
    assert [loop.count for loop in loops] == ([slices] if slices > 1 else [])


@pytest.mark.parametrize(
    ("inputs", "partials", "split", "last", "formats"),
    [
        ("float16", "float16", Split(1, 2, 1, 2, 1, 1, 0), "multiply", {"y": "float16"}),
        ("float16", "float32", Split(1, 2, 1, 2, 1, 1, 0), "cast", {"y.partials": "float32", "y": "float16"}),
        # A reduction writes the result's format itself.
        ("float16", "float32", Split(1, 2, 3, 2, 1, 1, 0), "reduce 1", {"y.partials": "float32", "y": "float16"}),
        (
            "float16",
            "float32",
            Split(1, 2, 1, 2, 3, 1, 0),
            "cast",
            {"y.partials": "float32", "y.total": "float32", "y": "float16"},
        ),
        (
            "float32",
            "float32",
            Split(1, 2, 3, 2, 3, 1, 0),
            "accumulate",
            {"y.partials": "float32", "y.slice": "float32", "y": "float32"},
        ),
    ],
)
def test_sums_are_kept_in_the_partials_format_until_the_result(inputs, partials, split, last, formats):
    variant = HALF if inputs == "float16" else Variant(AMP_1X1, 2, 2, 2, 1)
    program = lower_by_hand(problem_of(16, 144, 8, inputs, partials), TINY, variant, split)
    assert _names(program)[-1] == last
    found = {name: variable.dtype for name, variable in program.variables.items() if name not in ("w", "x")}
    assert found == formats


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_transposed_operands_are_kept_as_they_are_and_read_the_other_way(transpose_a, transpose_b):
    shapes = {"w": [24, 40], "x": [40, 12]}
    workload = document(problem_of(24, 40, 12), transpose_a=transpose_a, transpose_b=transpose_b)
    for name, transposed in (("w", transpose_a), ("x", transpose_b)):
        workload["tensors"][name] = {"shape": shapes[name][::-1] if transposed else shapes[name]}
    program = compile_workload(workload, TINY).program
    assert program.variables["w"].shape == (1, *workload["tensors"]["w"]["shape"])
    multiply = next(
        vertices for step, _ in program.supersteps() for vertices in step.compute if vertices.label == "amp"
    )
    left, right, out = (operand.regions.box[:, 2:].reshape(-1, 2, 2) for operand in multiply.operands)
    left = left[:, ::-1] if transpose_a else left
    right = right[:, ::-1] if transpose_b else right
    assert np.array_equal(left[:, 1], right[:, 0])
    assert np.array_equal(left[:, 0], out[:, 0])
    assert np.array_equal(right[:, 1], out[:, 1])
    assert multiply.settings["transpose_left"] is transpose_a
    assert multiply.settings["transpose_right"] is transpose_b


def _batched(left, right, **attributes):
    return {
        "name": "batched",
        "dtype": "float16",
        "tensors": {"w": {"shape": left}, "x": {"shape": right}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", **attributes}],
        "outputs": ["y"],
    }


def test_a_batch_on_the_left_of_a_plain_matrix_is_one_product_of_more_rows():
    compiled = compile_workload(_batched([3, 8, 16], [16, 4]), TINY)
    (plan,) = compiled.plans.values()
    assert (plan.problem.groups, plan.problem.m) == (1, 24)
    assert compiled.program.variables["w"].shape == (1, 24, 16)


def test_an_operand_that_all_of_a_batch_share_is_sent_to_all_of_them():
    compiled = compile_workload(_batched([8, 16], [6, 16, 4]), TINY)
    (plan,) = compiled.plans.values()
    program = compiled.program
    assert plan.problem.groups == 6
    assert program.variables["w"].shape == (1, 8, 16)
    assert program.variables["x"].shape == (6, 16, 4)
    multiply = next(
        vertices for step, _ in program.supersteps() for vertices in step.compute if vertices.label == "amp"
    )
    assert (multiply.operands[0].regions.box[:, :2] == [0, 1]).all()
    (transfers,) = [found for step, _ in program.supersteps() for found in step.exchange if found.variable == "w"]
    parts = plan.split.p_outer if plan.variant.swapped else plan.split.p_rows
    assert len(transfers.group_indptr) - 1 == parts * plan.split.p_inner


@pytest.mark.parametrize(
    ("variant", "problem", "settings"),
    [
        (Variant(AMP_1X1, 16, 16, 16, 1), problem_of(32, 64, 16), {"units": 16, "passes": 1, "in_channels": 16}),
        (
            Variant(AMP_NX1, 16, 8, 16, 1),
            problem_of(32, 8, 16),
            {"units": 16, "passes": 1, "in_channels": 8, "filter_height": 2, "out_channels": 16},
        ),
        (Variant(HMAC, 0, 16, 2, 1), problem_of(4, 64, 4), {"in_channels": 16, "out_channels": 2}),
        (Variant(OUTER_PRODUCT, 0, 1, 4, 1), problem_of(32, 1, 16), {"channels": 4, "dtype": "float16"}),
    ],
)
def test_a_vertex_carries_what_its_formula_asks_for(variant, problem, settings):
    program = lower_by_hand(problem, BOW, variant, Split(1, 2, 1, 2, 1, 1, 0))
    (multiply,) = [step.compute[0] for step, _ in program.supersteps() if step.compute]
    assert multiply.codelet == ("amp_1x1", "amp_nx1", "hmac", "outer_product")[variant.vertex]
    assert {name: multiply.settings[name] for name in settings} == settings
    assert len(multiply.tile) == 4


def test_results_named_by_the_graph_are_found_in_the_program():
    program = lower_by_hand(problem_of(16, 16, 16), TINY, HALF, Split(1, 2, 1, 2, 1, 1, 0))
    assert program.inputs == {"w": "w", "x": "x"}
    assert program.outputs == {"y": "y"}
    assert program.n_tiles == 64
