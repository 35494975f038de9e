"""What equal ops have in common is worked out once while a program is made, and is the same as on its own."""

import numpy as np

from ipusim.chip.load import load_chip
from ipusim.ir.expression import broadcast_pattern
from ipusim.lower.broadcast import known_runs, needed_runs
from ipusim.lower.builder import Builder
from ipusim.lower.matmul import product_operands
from ipusim.lower.matmul_operands import shared_home
from ipusim.pipeline.compiling import compile_workload

TINY = load_chip("tiny")


def two_products(second):
    """Return two float16 products of 16 x 16: the second with `second` as further fields, and a bias behind."""
    tensors = {name: {"shape": [16, 16]} for name in ("x", "a", "b")} | {"bias": {"shape": [16]}}
    ops = [
        {"op": "matmul", "inputs": ["x", "a"], "output": "p"},
        {"op": "matmul", "inputs": ["x", "b"], "output": "q", **second},
        {"op": "add", "inputs": ["q", "bias"], "output": "y"},
    ]
    return {"name": "two", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": ["p", "y"]}


def operands_of(builder, compiled, op):
    return product_operands(builder, (op,), compiled.plans[op.name])[2]


def test_equal_products_have_the_same_operands():
    compiled = compile_workload(two_products({}), TINY)
    builder = Builder(compiled.graph, TINY)
    first, second = (operands_of(builder, compiled, op) for op in compiled.graph.ops[:2])
    assert [each.side.tensor for each in (*first, *second)] == ["x", "a", "x", "b"]
    for one, other in zip(first, second, strict=True):
        assert one.home is other.home
        assert one.side.block is other.side.block
    for operand in first:
        home = shared_home(operand.tiles, operand.side)
        assert np.array_equal(home.tile, operand.home.tile)
        assert np.array_equal(home.regions.box, operand.home.regions.box)


def test_a_transposed_operand_is_another_one():
    compiled = compile_workload(two_products({"transpose_b": True}), TINY)
    builder = Builder(compiled.graph, TINY)
    first, second = (operands_of(builder, compiled, op) for op in compiled.graph.ops[:2])
    alone = operands_of(Builder(compiled.graph, TINY), compiled, compiled.graph.ops[1])
    assert first[1].side.block is not second[1].side.block
    assert np.array_equal(second[1].side.block, alone[1].side.block)


def test_runs_of_a_repeated_operand():
    program = compile_workload(two_products({}), TINY).program
    builder = Builder(compile_workload(two_products({}), TINY).graph, TINY)
    bias = program.variables["bias"]
    home = builder.sharing.home(program.variables["q"].home)
    shape = program.variables["q"].shape
    for extents in ((16,), (16, 1)):
        pattern = broadcast_pattern(extents, (16, 16))
        found = known_runs(builder, pattern, shape, home, bias)
        alone = needed_runs(pattern, shape, home, bias)
        assert found is known_runs(builder, pattern, shape, home, bias)
        assert np.array_equal(found.begin, alone.begin)
        assert np.array_equal(found.end, alone.end)
