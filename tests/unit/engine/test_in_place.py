"""Results in the memory of an operand that nobody reads any more: worked out on the tiny chip, and when illegal."""

from dataclasses import replace

import pytest

from ipusim.chip.load import load_chip
from ipusim.engine.execution import execute_program
from ipusim.engine.in_place import in_place
from ipusim.engine.memory import map_memory
from ipusim.errors import ResidencyError
from ipusim.frontends.values import tensor_values
from ipusim.pipeline.compiling import compile_workload

TINY = load_chip("tiny")


def network(*ops, outputs=("y",)):
    """Return elementwise ops and sums on an input of 16 x 16 half-precision numbers: 128 bytes on each tile."""
    return {
        "name": "network",
        "dtype": "float16",
        "tensors": {"x": {"shape": [16, 16]}},
        "ops": [{"op": op, "inputs": list(inputs), "output": output} for op, inputs, output in ops],
        "outputs": list(outputs),
    }


# `a` has two readers, so that it is not fused away.
LAST_READER = network(("exp", "x", "a"), ("sum", "a", "r"), ("relu", "a", "b"), ("sum", "b", "y"), outputs=("r", "y"))
FIRST_READER = network(("exp", "x", "a"), ("relu", "a", "b"), ("sum", "a", "r"), ("sum", "b", "y"), outputs=("r", "y"))


def over(document):
    program = compile_workload(document, TINY).program
    return {name: variable.over for name, variable in program.variables.items() if variable.over}


def test_the_last_reader_of_an_operand_overwrites_it():
    # The sum sees a as [1, 256, 1]: another view of the same memory.
    assert over(LAST_READER) == {"a#2": "a", "b": "a#2"}
    memory = compile_workload(LAST_READER, TINY).memory
    held = {item.name: item for item in memory.allocations if item.category == "tensors"}
    # x, then a and b in the same 128 bytes, from the first superstep of a to the last of b.
    assert "b" not in held
    assert held["a"].bytes_on_tile.tolist() == [128] * 4
    apart = map_memory(_apart(compile_workload(LAST_READER, TINY).program), TINY)
    one, other = ({item.name: item for item in apart.allocations if item.category == "tensors"}[n] for n in "ab")
    assert (held["a"].first, held["a"].last) == (one.first, other.last)
    assert one.last == other.first
    assert _held(apart, other.first) == _held(memory, other.first) + 128
    assert apart.max_tile_bytes > memory.max_tile_bytes


def test_an_operand_that_is_read_later_stays():
    assert "b" not in over(FIRST_READER)


def test_inputs_and_outputs_stay():
    assert over(network(("relu", "x", "y"))) == {}
    assert over(network(("exp", "x", "a"), ("relu", "a", "y"), outputs=("a", "y"))) == {}


def test_another_number_format_is_another_memory():
    document = network(("exp", "x", "a"), ("sum", "a", "r"), outputs=("r", "y"))
    document["ops"] += [{"op": "cast", "inputs": ["a"], "output": "y", "to": "float32"}]
    assert "y" not in over(document)


def test_what_has_been_overwritten_is_not_there_any_more():
    compiled = compile_workload(FIRST_READER, TINY)
    values = {name: tensor_values(compiled.graph.tensors[name], 0) for name in compiled.graph.inputs}
    execute_program(compiled.program, values, 1, verify=True)
    variables = dict(compiled.program.variables)
    variables["b"] = replace(variables["b"], over="a")
    with pytest.raises(ResidencyError, match="a"):
        execute_program(replace(compiled.program, variables=variables), values, 1, verify=True)


def test_it_is_decided_once():
    program = compile_workload(LAST_READER, TINY).program
    assert in_place(program) == program


def _held(memory, step, tile=0):
    return sum(int(item.bytes_on_tile[tile]) for item in memory.allocations if item.first <= step <= item.last)


def _apart(program):
    """Return a program in which b is in memory of its own."""
    return replace(program, variables={**program.variables, "b": replace(program.variables["b"], over="")})
