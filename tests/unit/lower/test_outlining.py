"""Repeated layers that share their exchange code: worked out on the tiny chip, and what it may never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.engine.execution import execute_program
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.frontends.values import tensor_values
from ipusim.lower.outlining import _loops, outline
from ipusim.lower.verify import verify_program
from ipusim.pipeline.compiling import compile_workload

TINY = load_chip("tiny")


def layers(count, shape=(16, 16)):
    """Return layers of a product and an activation in half precision."""
    tensors = {"x0": {"shape": [shape[1], 16]}} | {f"w{number}": {"shape": list(shape)} for number in range(count)}
    ops = []
    for number in range(count):
        inputs = [f"w{number}", f"x{number}"]
        ops.append({"op": "matmul", "inputs": inputs, "output": f"h{number}", "partials": "float16"})
        ops.append({"op": "gelu", "inputs": [f"h{number}"], "output": f"x{number + 1}"})
    return {"name": "layers", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": [f"x{count}"]}


def test_four_layers_have_the_code_of_one():
    program = compile_workload(layers(4), TINY).program
    outlined = outline(program)
    before, after = map_memory(program, TINY), map_memory(outlined, TINY)
    # A tile sends a piece of x to a group of four tiles and receives four: 5 endpoints of 2 words of 4 B and a word for
    # the phase, 44 B a layer.
    assert before.by_category(0)["exchange_code"] == 4 * 44
    assert after.by_category(0)["exchange_code"] == 44
    # A quarter of x, 16 x 16 of 2 B, is copied to the common place, in room of its own.
    assert after.by_category(0)["copies"] == 128
    names = [step.name for step, _ in outlined.supersteps()]
    assert names[:3] == ["h0/copy in", "h0/operands", "h0/multiply"]
    shared = [step.code for step, _ in outlined.supersteps() if step.exchange]
    assert shared == ["", "h0/operands", "h0/operands", "h0/operands"]


def test_copies_cost_cycles():
    # 64 elements of x on each tile: half of them on each of 2 workers, 8 vectors of 4. By the published estimate of a
    # slice: 25 + 2 * (39 + 24 + 2 * 8) = 183 cycles, in each of four layers.
    program = compile_workload(layers(4), TINY).program
    assert time_program(outline(program), TINY).cycles == time_program(program, TINY).cycles + 4 * 183


def test_the_values_are_the_same():
    compiled = compile_workload(layers(3), TINY)
    values = {name: tensor_values(compiled.graph.tensors[name], 0) for name in compiled.graph.inputs}
    plain, outlined = (
        execute_program(program, values, 1, verify=True) for program in (compiled.program, outline(compiled.program))
    )
    assert all(np.array_equal(plain[name], outlined[name]) for name in plain)
    verify_program(outline(compiled.program))


@pytest.mark.parametrize("document", [layers(1), {**layers(2), "ops": layers(2)["ops"][:2], "outputs": ["x1"]}])
def test_nothing_repeats_in_a_single_layer(document):
    document["tensors"] = {name: tensor for name, tensor in document["tensors"].items() if name in ("x0", "w0")}
    assert outline(compile_workload(document, TINY).program) is None


def test_layers_of_other_shapes_are_not_alike():
    document = layers(2)
    document["tensors"]["w1"] = {"shape": [32, 16]}
    assert outline(compile_workload(document, TINY).program) is None


def best_repetition(signs, weights):
    """Return first unit, size and count of what saves most exchanges; of equals, the shortest and then the first."""
    best, saved = None, 0
    for size in range(1, len(signs) // 2 + 1):
        first = 0
        while first + 2 * size <= len(signs):
            last = first
            while last + size < len(signs) and signs[last] == signs[last + size]:
                last += 1
            count = (last - first) // size + 1
            saving = sum(weights[first + size : first + count * size])
            if saving > saved:
                best, saved = (first, size, count), saving
            first = last + 1
    return best


units = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=24)
repeated = st.tuples(units, units, st.integers(2, 5), units).map(
    lambda parts: parts[0] + parts[1] * parts[2] + parts[3]
)


@given(units | repeated)
def test_the_repetition_that_saves_most_is_found(sequence):
    signs, weights = ([unit[which] for unit in sequence] for which in (0, 1))
    # units of one sign have the same exchanges
    weights = [weights[signs.index(sign)] for sign in signs]
    found = list(_loops(np.array(signs, dtype=np.int64), np.array(weights, dtype=np.int64), 0, len(signs)))
    best = best_repetition(signs, weights)
    assert best in found if best else not found
