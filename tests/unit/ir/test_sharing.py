"""Equal arrays of a program are kept once, and what is alike is known by them."""

from dataclasses import replace

import numpy as np
from handmade import document, problem_of

from ipusim.chip.load import load_chip
from ipusim.engine.timing import time_program
from ipusim.ir.program import Home
from ipusim.ir.regions import whole_boxes
from ipusim.ir.sharing import Sharing, superstep_key
from ipusim.pipeline.compiling import compile_workload


def test_equal_arrays_become_one():
    sharing = Sharing()
    one = np.arange(10_000, dtype=np.int64).reshape(-1, 4)
    assert sharing.array(one) is one
    assert sharing.array(one.copy()) is one
    assert sharing.array(one.astype(np.int32)) is not one
    assert sharing.array(one.reshape(-1, 2)) is not one


def test_arrays_that_differ_in_any_one_element_stay_apart():
    sharing = Sharing()
    one = sharing.array(np.zeros(500, dtype=np.int64))
    for place in range(500):
        other = np.zeros(500, dtype=np.int64)
        other[place] = 1
        assert sharing.array(other) is other
    assert not one.any()


def test_a_view_becomes_an_array_of_its_own():
    table = np.arange(30, dtype=np.int64).reshape(10, 3)
    shared = Sharing().array(table[:, 1])
    assert shared.flags.c_contiguous
    np.testing.assert_array_equal(shared, table[:, 1])


def test_regions_and_homes_are_shared_only_where_they_step_alike():
    sharing = Sharing()
    box = np.array([[0, 1, 0, 2, 0, 8]])
    homes = [
        Home(np.zeros(1, dtype=np.int32), whole_boxes(box.copy(), step, 2))
        for step in ((0, 2, 0), (0, 2, 0), (0, 0, 8))
    ]
    first, second, third = (sharing.home(home) for home in homes)
    assert first is second
    assert third is not first
    assert third.regions.box is first.regions.box
    assert third.regions.step == (0, 0, 8)


def _two_layers():
    workload = document(problem_of(64, 64, 64, "float32"))
    workload["tensors"] |= {"v": {"shape": [64, 64]}}
    workload["ops"].append({"op": "matmul", "inputs": ["v", workload["outputs"][0]], "output": "z"})
    workload["outputs"] = ["z"]
    return compile_workload(workload, load_chip("tiny"))


def test_repeated_layers_share_their_arrays_and_their_keys():
    program = _two_layers().program
    by_op = {}
    for step, _ in program.supersteps():
        for vertices in step.compute:
            if vertices.label == "amp":
                by_op[vertices.op or step.op] = (superstep_key(step, program), vertices)
    (one, first), (other, second) = by_op.values()
    assert one[0] == other[0]
    assert first.tile is second.tile
    assert first.operands[0].variable != second.operands[0].variable


def test_a_key_sees_formats_and_settings():
    program = _two_layers().program
    steps = (step for step, _ in program.supersteps())
    step = next(step for step in steps if step.compute and step.compute[0].operands)
    key = superstep_key(step, program)
    changed = replace(step.compute[0], settings={**step.compute[0].settings, "partials": "other"})
    assert superstep_key(replace(step, compute=(changed, *step.compute[1:])), program) != key
    name = step.compute[0].operands[0].variable
    wider = replace(program.variables[name], element_bytes=8)
    assert superstep_key(step, replace(program, variables={**program.variables, name: wider})) != key


def test_the_times_of_shared_supersteps_have_the_names_of_their_ops():
    compiled = _two_layers()
    trace = time_program(compiled.program, compiled.chip)
    assert [(step.name, step.op) for step in trace.steps] == [
        (step.name, step.op) for step, _ in compiled.program.supersteps()
    ]
