"""Execution of programs put together by hand, against numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from execution_programs import (
    accumulating_program,
    bias_program,
    inputs,
    product_program,
    sliced_program,
    step,
    with_steps,
)

from ipusim.engine.execution import execute_program
from ipusim.engine.values import stationary_variables
from ipusim.errors import VerifierError
from ipusim.ir.program import Program, Repeat

PRODUCTS = (product_program, sliced_program, accumulating_program)


def expected(program: Program, values: dict[str, np.ndarray]) -> np.ndarray:
    if "b" in values:
        return values["x"] + values["b"]
    product = values["w"] @ values["x"]
    return np.maximum(product, 0) if program.name == "product" else product


@pytest.mark.parametrize("build", [*PRODUCTS, bias_program])
@pytest.mark.parametrize("threads", [1, 2])
def test_values_are_those_of_numpy(build, threads):
    program = build()
    values = inputs(program)
    found = execute_program(program, values, threads=threads, verify=True)
    assert set(found) == {"y"}
    assert found["y"].shape == program.variables["y"].shape
    assert np.array_equal(found["y"], expected(program, values))


def test_inputs_may_have_any_shape_and_are_left_alone():
    program = replace(accumulating_program(), outputs={"y": "y", "w": "w"})
    values = inputs(program)
    flat = {name: array.ravel().copy() for name, array in values.items()}
    found = execute_program(program, flat)
    assert np.array_equal(found["y"], expected(program, values))
    assert np.array_equal(found["w"], values["w"])
    assert all(np.array_equal(flat[name], array.ravel()) for name, array in values.items())


def test_an_input_that_is_updated_in_place_is_copied_first():
    program = accumulating_program()
    values = inputs(program)
    start = np.ones(program.variables["y"].shape, np.float32)
    found = execute_program(replace(program, inputs={**program.inputs, "y": "y"}), {**values, "y": start})
    assert np.array_equal(found["y"], 1 + expected(program, values))
    assert (start == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("x"), "no values for the input x"),
        (lambda values: values.update(x=np.zeros(7, np.float32)), "input x has 7 values, the program needs 30"),
    ],
)
def test_wrong_inputs_are_refused(change, message):
    program = product_program()
    values = inputs(program)
    change(values)
    with pytest.raises(ValueError, match=message):
        execute_program(program, values)


@pytest.mark.parametrize("build", PRODUCTS)
def test_progress_rises_to_one_and_names_supersteps(build):
    program = build()
    told = []
    execute_program(program, inputs(program), progress=lambda fraction, name: told.append((fraction, name)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert {name for _, name in told} == {superstep.name for superstep, _ in program.supersteps() if superstep.compute}


def test_after_each_op_its_operands_and_results_are_there():
    program = product_program()
    values = inputs(program)
    seen = []

    def after(op, held):
        if op == "dot":
            product = held.flat("w").reshape(4, 6) @ held.flat("x").reshape(6, 5)
            assert np.array_equal(held.flat("s").reshape(4, 5), product)
        else:
            assert np.array_equal(held.flat("y"), np.maximum(held.flat("s"), 0))
            assert not held.flat("p").any(), "partial sums are released with their op"
        seen.append(op)

    execute_program(program, values, after_op=after)
    assert seen == ["dot", "act"]


def test_partial_sums_of_a_loop_stay_in_one_place():
    program = sliced_program()
    assert stationary_variables(program) == {"p"}
    outside = replace(program, steps=(*program.steps, program.steps[0]))
    assert stationary_variables(outside) == frozenset()
    assert stationary_variables(accumulating_program()) == frozenset()


def test_outside_of_a_loop_all_iterations_are_run():
    program = sliced_program()
    loop = program.steps[0]
    assert isinstance(loop, Repeat)
    flat = replace(program, steps=loop.body)
    values = inputs(program)
    assert stationary_variables(flat) == frozenset()
    assert np.array_equal(execute_program(flat, values, verify=True)["y"], expected(program, values))


def test_vertices_that_nothing_executes_are_refused():
    program = product_program()
    relu = step(program, "relu")
    strange = replace(relu, compute=(replace(relu.compute[0], codelet="strange"),))
    with pytest.raises(VerifierError, match="no kernel for vertices of strange"):
        execute_program(with_steps(program, relu=strange), inputs(program))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("relu", {"op": "tanh", "in_place": True}, "no kernel for nonlinearity_1d with operator tanh"),
        ("multiply", {"partials": "float16", "in_channels": 8}, "forms float16 sums but writes float32"),
    ],
)
def test_settings_without_a_kernel_are_refused(name, settings, message):
    program = product_program()
    found = step(program, name)
    changed = replace(found, compute=(replace(found.compute[0], settings=settings),))
    with pytest.raises(VerifierError, match=message):
        execute_program(with_steps(program, **{name: changed}), inputs(program))


def test_sums_are_formed_in_few_formats():
    program = product_program()
    multiply = step(program, "multiply")
    written = multiply.compute[0].operands[2].variable
    strange = {**program.variables, written: replace(program.variables[written], dtype="bfloat16")}
    settings = {**multiply.compute[0].settings, "partials": "bfloat16"}
    sums = replace(multiply, compute=(replace(multiply.compute[0], settings=settings),))
    with pytest.raises(VerifierError, match="no vertex forms sums in bfloat16"):
        execute_program(with_steps(replace(program, variables=strange), multiply=sums), inputs(program))


def test_half_results_are_rounded_once_at_each_vertex():
    program = product_program()
    half = {name: replace(each, dtype="float16") for name, each in program.variables.items()}
    multiply = step(program, "multiply")
    sums = replace(
        multiply, compute=(replace(multiply.compute[0], settings={"partials": "float16", "in_channels": 2}),)
    )
    rng = np.random.default_rng(3)
    values = {
        name: rng.normal(size=array.shape).astype(np.float16).astype(np.float32)
        for name, array in inputs(program).items()
    }
    found = execute_program(with_steps(replace(program, variables=half), multiply=sums), values)
    total = np.zeros((1, 4, 5), np.float16)
    for start in (0, 3):
        partial = np.zeros((1, 4, 5))
        for first, last in ((start, start + 2), (start + 2, start + 3)):
            partial = (
                (partial + values["w"][:, :, first:last].astype(float) @ values["x"][:, first:last])
                .astype(np.float16)
                .astype(float)
            )
        total = (total.astype(float) + partial).astype(np.float16)
    assert np.array_equal(found["y"], np.maximum(total, 0).astype(np.float32))
