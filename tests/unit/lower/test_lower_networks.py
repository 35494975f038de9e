"""Movements, views, reductions and composites: how many supersteps they are, and what lies where."""

import numpy as np
import pytest

import ipusim
from ipusim.chip.load import load_chip
from ipusim.ir.expression import broadcast_pattern, covered_runs
from ipusim.lower.axis_reduction import axis_stages, split_box
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.axis_reduction import AxisSplit, plan_axis_reduction

TINY = load_chip("tiny", tile_sram_bytes="256 KiB")
WIDE = load_chip("tiny", n_tiles=64, tile_sram_bytes="256 KiB")


def _workload(tensors, ops, outputs=()):
    shapes = {name: {"shape": list(shape)} for name, shape in tensors.items()}
    return {"name": "network", "tensors": shapes, "ops": ops, "outputs": list(outputs)}


def _op(op, *inputs, output, **attrs):
    return {"op": op, "inputs": list(inputs), "output": output, **attrs}


def _steps(workload, chip=TINY):
    return [step.name for step, _ in compile_workload(workload, chip).program.supersteps()]


def test_a_chain_of_movements_and_views_is_one_exchange_and_one_copy():
    ops = [
        _op("relu", "x", output="a"),
        _op("reshape", "a", output="b", shape=[16, 4, 8]),
        _op("transpose", "b", output="c", axes=[1, 0, 2]),
        _op("slice", "c", output="d", axis=0, start=1),
        _op("reshape", "d", output="e", shape=[-1]),
    ]
    workload = _workload({"x": (16, 32)}, ops)
    assert _steps(workload) == ["a/compute", "d/exchange", "d/copy"]
    run = ipusim.simulate(workload, TINY, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"]
    assert [op["cycles"] > 0 for op in run.ops] == [True, False, False, True, False]


def test_a_movement_is_checked_after_what_lay_between_was_overwritten():
    ops = [
        _op("transpose", "x", output="t", axes=[0, 2, 1, 3]),
        _op("slice", "t", output="part", axis=3, start=4, end=8),
        _op("scale_shift", "t", output="scaled", scale=2.0),
        _op("neg", "part", output="negated"),
    ]
    run = ipusim.simulate(_workload({"x": (2, 8, 2, 8)}, ops), TINY, execute=True, threads=1, explain=False)
    assert run.check["passed"]


def test_a_view_costs_nothing_and_shares_the_values():
    ops = [_op("reshape", "x", output="v", shape=[8, 64]), _op("relu", "v", output="y")]
    program = compile_workload(_workload({"x": (16, 32)}, ops), TINY).program
    assert [step.name for step, _ in program.supersteps()] == ["y/compute"]
    assert program.roots == {"v": "x"}
    assert program.inputs == {"x": "v"}


def test_softmax_of_rows_that_lie_on_one_tile_moves_nothing():
    workload = _workload({"x": (8, 16)}, [_op("softmax", "x", output="y")])
    assert _steps(workload) == [
        "y.max/reduce",
        "y.exp/compute",
        "y.inverse_sum/reduce",
        "y/compute",
    ]


def test_heads_that_share_keys_are_rows_of_one_product():
    tensors = {"q": (4, 6, 8), "k": (2, 9, 8), "v": (2, 9, 8)}
    compiled = compile_workload(_workload(tensors, [_op("attention", "q", "k", "v", output="y", causal=True)]), TINY)
    scores = compiled.plans["y.matmul"].problem
    assert (scores.groups, scores.m, scores.k, scores.n) == (2, 12, 8, 9)
    mask = compiled.graph.tensors["#causal-6x9-float16"]
    assert (mask.shape, mask.init.kind) == ((6, 9), "causal")


@pytest.mark.parametrize(
    ("shape", "axes", "stages"),
    [
        ((4, 5, 6), (2,), ((20, 6, 1),)),
        ((4, 5, 6), (0,), ((1, 4, 30),)),
        ((4, 5, 6), (0, 2), ((20, 6, 1), (1, 4, 5))),
        ((4, 5, 6), (1, 2), ((4, 30, 1),)),
        ((4, 1, 6), (1,), ((24, 1, 1),)),
    ],
)
def test_axes_are_merged_and_reduced_from_the_last(shape, axes, stages):
    assert axis_stages(shape, axes) == stages


def test_pieces_of_a_reduction_cover_it_once():
    shape, split = (5, 11, 7), AxisSplit(3, 4, 2)
    seen = np.zeros(shape, dtype=int)
    pieces = split_box(shape, split)
    for g0, g1, r0, r1, c0, c1 in pieces.box:
        seen[g0:g1, r0:r1, c0:c1] += 1
    assert (seen == 1).all()
    assert len(set(pieces.tile.tolist())) == len(pieces.tile) == 24


def test_a_long_row_is_cut_into_parts_only_where_that_pays():
    assert plan_axis_reduction(1, 64, 1, 2, True, WIDE).reduced == 1
    assert plan_axis_reduction(1, 1 << 16, 1, 2, True, WIDE).reduced > 1
    assert plan_axis_reduction(64, 1 << 16, 1, 2, True, WIDE) == (64, 1, 1)


@pytest.mark.parametrize("shape", [(1, 6, 8), (2, 3, 8), (6, 1, 8), (1, 1, 48), (1, 48, 1)])
@pytest.mark.parametrize("operand", [(8,), (6, 1), (2, 1, 8), (1, 3, 1), (1,), (2, 1, 1)])
def test_a_piece_needs_what_lies_between_its_first_and_last_element(shape, operand):
    pattern = broadcast_pattern(operand, (2, 3, 8)) if len(operand) != 2 else broadcast_pattern(operand, (6, 8))
    size = int(np.prod(operand))
    full = (6, 8) if len(operand) == 2 else (2, 3, 8)
    index = np.broadcast_to(np.arange(size).reshape(operand), full).reshape(shape)
    rng = np.random.default_rng(0)
    for _ in range(20):
        low = [int(rng.integers(0, extent)) for extent in shape]
        high = [int(rng.integers(start + 1, extent + 1)) for start, extent in zip(low, shape, strict=True)]
        box = np.array([[bound for pair in zip(low, high, strict=True) for bound in pair]])
        first, end = covered_runs(pattern, shape, box)
        inside = index[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        assert first[0] <= inside.min()
        assert inside.max() < end[0] <= size
