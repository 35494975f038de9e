"""Elementwise ops run where their operand is; what broadcasts or lies elsewhere is brought there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.ir.program import FROM_HOME
from ipusim.ir.regions import volume
from ipusim.lower.homes import home_bytes, linear_home, same_home
from ipusim.pipeline.compiling import compile_workload

TINY = load_chip("tiny", tile_sram_bytes="256 KiB")


def _compile(tensors, ops, outputs, dtype="float16"):
    workload = {
        "name": "elementwise",
        "dtype": dtype,
        "tensors": {name: {"shape": list(shape)} for name, shape in tensors.items()},
        "ops": ops,
        "outputs": list(outputs),
        "compile": {"layout": "greedy"},
    }
    return compile_workload(workload, TINY).program


def _add(left, right, output="y"):
    return {"op": "add", "inputs": [left, right], "output": output}


def _relu(source, output="y"):
    return {"op": "relu", "inputs": [source], "output": output}


def _names(program):
    return [step.name.partition("/")[2] for step, _ in program.supersteps()]


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)), st.sampled_from((1, 2, 4)), st.integers(1, 50)
)
def test_linear_mapping_is_equal_runs_of_at_least_128_bytes(shape, element_bytes, n_tiles):
    home = linear_home(shape, element_bytes, n_tiles)
    elements = int(np.prod(shape))
    begin, end = home.regions.begin, home.regions.end
    assert begin[0] == 0
    assert end[-1] == elements
    assert (begin[1:] == end[:-1]).all()
    assert home.tile.tolist() == list(range(len(begin)))
    assert len(begin) <= n_tiles
    assert (volume(home.regions.box) == elements).all()
    sizes = (end - begin)[:-1] * element_bytes
    assert (sizes >= 128).all()
    assert len(set(sizes.tolist())) <= 1


def test_a_single_op_runs_under_linear_mapping_without_exchange():
    program = _compile({"a": (16, 32), "b": (16, 32)}, [_add("a", "b")], ["y"])
    (step,) = program.steps
    assert step.exchange == ()
    (vertices,) = step.compute
    assert vertices.codelet == "binary_1d"
    assert vertices.fields["elements"].tolist() == [128] * 4
    assert program.inputs == {"a": "a", "b": "b"}
    assert same_home(program.variables["a"].home, program.variables["y"].home)


def test_a_chain_moves_nothing():
    ops = [
        {"op": "matmul", "inputs": ["w", "x"], "output": "product"},
        {"op": "relu", "inputs": ["product"], "output": "active"},
        {"op": "cast", "inputs": ["active"], "output": "y", "to": "float32"},
    ]
    program = _compile({"w": (8, 16), "x": (16, 8)}, ops, ["y"])
    homes = [program.variables[name].home for name in ("product", "active", "y")]
    assert same_home(homes[0], homes[1])
    assert same_home(homes[0], homes[2])
    relu, cast = [step for step, _ in program.supersteps()][-2:]
    assert (relu.exchange, cast.exchange) == ((), ())
    assert relu.compute[0].codelet == "nonlinearity_1d"
    assert cast.compute[0].codelet == "cast_1d"
    assert cast.compute[0].settings["output"] == "float32"


@pytest.mark.parametrize(
    ("bias", "received"),
    [
        # Linear mapping of 16 x 32 halves: 4 rows of 32 on each of 4 tiles. A column vector: 4 elements of 2 B; a row
        # vector: all 32; a scalar: one.
        ((16, 1), [8] * 4),
        ((1, 32), [64] * 4),
        ((32,), [64] * 4),
        ((1, 1), [2] * 4),
    ],
)
def test_a_bias_is_sent_to_every_tile_that_needs_it(bias, received):
    ops = [_relu("a", "b"), _add("b", "bias")]
    program = _compile({"a": (16, 32), "bias": bias}, ops, ["y"])
    assert _names(program) == ["operands", "compute"]
    exchange, compute = (step for step, _ in program.supersteps())
    (transfers,) = exchange.exchange
    assert (transfers.source == FROM_HOME).all()
    assert transfers.bytes_sent.sum() == np.prod(bias) * 2
    assert compute.compute[0].codelet == "fused_map"
    assert compute.compute[0].settings["functions"] == ("relu", "add")
    # Tile 0 holds all of the bias, which is less than 128 bytes.
    assert transfers.bytes_received.tolist() == [0, *received[1:]]


def test_a_bias_of_a_product_is_cut_to_the_rows_of_the_block():
    ops = [{"op": "matmul", "inputs": ["w", "x"], "output": "p", "partials": "float16"}, _add("p", "bias")]
    program = _compile({"w": (64, 64), "x": (64, 64), "bias": (64, 1)}, ops, ["y"])
    (exchange,) = [step for step, _ in program.supersteps() if step.name.endswith("/operands") and not step.compute][
        -1:
    ]
    (transfers,) = exchange.exchange
    boxes = program.variables["y"].home.regions.box
    assert transfers.variable == "bias"
    rows = boxes[:, 3] - boxes[:, 2]
    # The bias lies on tile 0, linearly.
    assert transfers.bytes_received.sum() == 2 * rows[program.variables["y"].home.tile != 0].sum()


def test_an_operand_that_lies_elsewhere_is_rearranged_first():
    ops = [
        {"op": "matmul", "name": "one", "inputs": ["a", "b"], "output": "p", "partials": "float16"},
        {"op": "cast", "name": "two", "inputs": ["c"], "output": "q", "to": "float16"},
        {"op": "add", "name": "three", "inputs": ["p", "q"], "output": "y"},
    ]
    program = _compile({"a": (8, 512), "b": (512, 8), "c": (8, 8)}, ops, ["y"])
    steps = [step for step, _ in program.supersteps() if step.op == "three"]
    assert [step.name for step in steps] == ["three/rearrange q", "three/copy q", "three/compute"]
    (transfers,) = steps[0].exchange
    moved = program.variables["q#2"]
    assert moved.storage == "q"
    assert same_home(moved.home, program.variables["p"].home)
    assert np.array_equal(transfers.bytes_received, home_bytes(moved, 4))
    assert np.array_equal(transfers.bytes_sent, home_bytes(program.variables["q"], 4))


def test_a_small_operand_in_another_view_is_booked_under_its_op():
    # A batch of left operands times one column is a plain product of 24 rows; as a bias it is 3 columns of 8.
    ops = [
        {"op": "matmul", "name": "scores", "inputs": ["a", "b"], "output": "bias"},
        {"op": "add", "name": "shift", "inputs": ["c", "bias"], "output": "y"},
    ]
    program = _compile({"a": (3, 8, 4), "b": (4, 1), "c": (3, 8, 16)}, ops, ["y"], "float32")
    assert {step.op for step, _ in program.supersteps()} == {"scores", "shift"}
    trace = time_program(program, TINY)
    assert trace.op_cycles("scores") + trace.op_cycles("shift") == trace.cycles


def test_the_same_operand_twice_is_held_once():
    program = _compile({"a": (16, 32)}, [_add("a", "a")], ["y"])
    assert list(program.variables) == ["a", "y"]


def test_one_tensor_as_both_sides_of_a_product():
    ops = [{"op": "matmul", "inputs": ["a", "a"], "output": "y", "transpose_b": True}]
    program = _compile({"a": (16, 32)}, ops, ["y"])
    assert {variable.storage for variable in program.variables.values() if variable.kind == "tensor"} == {"a", "y"}
    assert program.inputs == {"a": "a"}


def test_broadcasting_of_inner_axes_needs_no_copy():
    # [2, 1, 4, 4] on [2, 3, 4, 4]: repeated along an axis between those that it has.
    program = _compile({"a": (2, 3, 4, 4), "b": (2, 1, 4, 4)}, [_add("a", "b")], ["y"])
    assert _names(program)[-1] == "compute"
    add = [step for step, _ in program.supersteps()][-1].compute[0]
    assert add.codelet == "broadcast_vector_outer"
    assert add.payload.patterns[1].tolist() == [[2, 16], [3, 0], [16, 1]]


def test_a_tree_of_ops_is_one_compute_set():
    ops = [
        {"op": "sigmoid", "inputs": ["a"], "output": "s"},
        {"op": "tanh", "inputs": ["b"], "output": "t"},
        {"op": "mul", "inputs": ["s", "t"], "output": "y"},
    ]
    program = _compile({"a": (16, 32), "b": (16, 32)}, ops, ["y"])
    (step,) = program.steps
    assert (step.op, step.fused) == ("y", ("s", "t"))
    assert step.compute[0].settings == {"functions": ("sigmoid", "tanh", "multiply"), "loads": 2, "dtype": "float16"}
    assert {name: each.kind for name, each in program.variables.items()} == {
        "a": "tensor",
        "b": "tensor",
        "s": "register",
        "t": "register",
        "y": "tensor",
    }
    assert map_memory(program, TINY).max_tile_bytes == 3 * 128 * 2


@pytest.mark.parametrize(
    ("ops", "outputs"),
    [
        ([_relu("a", "b"), _add("b", "a", "y"), _add("b", "b", "z")], ["y", "z"]),
        ([_relu("a", "b"), _add("b", "a", "y")], ["b", "y"]),
        ([_relu("v", "b"), _add("b", "a", "y")], ["y"]),
    ],
    ids=["two readers", "an output", "another shape"],
)
def test_what_others_need_is_not_fused(ops, outputs):
    program = _compile({"a": (16, 32), "v": (32,)}, ops, outputs)
    assert not any(step.fused for step, _ in program.supersteps())


def test_a_tensor_may_be_called_like_a_temporary():
    ops = [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float16"}, _add("y", "y.partials", "z")]
    program = _compile({"w": (8, 512), "x": (512, 8), "y.partials": (8, 8)}, ops, ["z"])
    temporaries = {variable.storage for variable in program.variables.values() if variable.kind != "tensor"}
    assert temporaries
    assert not temporaries & {"w", "x", "y", "y.partials", "z"}
