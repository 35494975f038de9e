"""Convolutions with any split compute the right values, each vertex reading only what its tile holds."""

import numpy as np
import pytest
from conv_by_hand import CHIPS, cases, convolutions, document, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

import ipusim
from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import compile_workload


def _values(workload, least, most, seed):
    random = np.random.default_rng(seed)
    shapes = {name: tensor["shape"] for name, tensor in workload["tensors"].items()}
    return {name: random.integers(least, most, shape).astype(np.float32) for name, shape in shapes.items()}


@given(cases(), st.integers(0, 1000))
@settings(max_examples=45, deadline=None)
def test_a_convolution_of_small_integers_is_exact_for_any_split(case, seed):
    # At most 9 channels and 9 kernel elements: sums of 81 products up to 9 are exact in half precision.
    values = _values(case.workload, -3, 4, seed)
    graph, _ = graph_of(case.workload)
    expected = find_op(graph.ops[0].kind).reference(
        (values["x"].astype(float), values["w"].astype(float)), graph.ops[0].attrs
    )
    result = execute_program(case.program, values, threads=1, verify=True)["y"]
    assert np.array_equal(result.ravel(), expected.ravel())


@given(cases())
@settings(max_examples=8, deadline=None)
def test_threads_do_not_change_a_byte(case):
    values = _values(case.workload, -100, 100, 1)
    one, two = (execute_program(case.program, values, threads=threads)["y"].tobytes() for threads in (1, 2))
    assert one == two


@given(convolutions(), st.sampled_from(CHIPS))
@settings(max_examples=25, deadline=None)
def test_planned_convolutions_pass_their_check(workload, chip):
    run = ipusim.simulate(workload, chip, execute=True, verify=True, threads=1, explain=False)
    assert run.infeasible is None
    assert run.check["passed"], run.check
    assert run.check["checked_fraction"] == 1.0


@given(cases())
@settings(max_examples=25, deadline=None)
def test_what_is_sent_is_needed_and_memory_holds_the_operands(case):
    program, problem = case.program, case.problem
    operands = [step for step in program.steps if step.name == "y/operands"]
    boxes = {
        operand.variable: operand.regions
        for step in program.steps
        for vertices in step.compute
        if vertices.label == "amp"
        for operand in vertices.operands
    }
    trace = time_program(program, case.chip)
    if operands:
        index = [step.name for step in program.steps].index("y/operands")
        needed = sum(
            boxes[name].n_elements * program.variables[name].element_bytes for name in ("x", "w") if name in boxes
        )
        tiles = len(needed)
        assert (trace.steps[index].bytes_received[:tiles] <= needed).all()
    assert map_memory(program, case.chip).total_bytes >= problem.resident_bytes


def test_a_wrong_value_fails_the_check():
    workload = document((1, 4, 6, 6), (4, 4, 3, 3), padding=1)
    compiled = compile_workload(workload, CHIPS[0])
    checker = OpChecker(compiled.graph, compiled.program, 0)

    def disturb(name, held):
        held.flat("y")[5] += 0.25
        checker.after_op(name, held)

    values = _values(workload, -3, 4, 2)
    execute_program(compiled.program, values, threads=1, after_op=disturb)
    assert not checker.result()["passed"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_padding_beyond_the_kernel_gives_zeros(dtype):
    workload = document((1, 2, 2, 2), (3, 2, 1, 1), dtype, padding=2, stride=1, partials=dtype)
    run = ipusim.simulate(workload, CHIPS[0], execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"]
