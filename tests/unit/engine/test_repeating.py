"""Programs that run again and again: each run gives what a single execution gives, whatever ran before."""

from __future__ import annotations

import numpy as np
import pytest
from execution_programs import accumulating_program, bias_program, inputs, product_program, sliced_program
from small_training import classes_workload, write_classes

from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.engine.repeating import Repeated
from ipusim.ir.program import Program
from ipusim.pipeline.compiling import compile_workload, load_inputs
from ipusim.training.loop import Training
from ipusim.training.setup import prepare


def shapes(program: Program) -> dict[str, tuple[int, ...]]:
    return {name: program.variables[variable].shape for name, variable in program.outputs.items()}


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return set(found) == set(expected) and all(
        found[name].tobytes() == np.ascontiguousarray(expected[name]).tobytes() for name in found
    )


@pytest.mark.parametrize("build", [product_program, sliced_program, accumulating_program, bias_program])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_run_is_like_the_first(build, threads):
    program = build()
    ones = inputs(program)
    others = {name: -2 * array[..., ::-1] for name, array in ones.items()}
    repeated = Repeated(program, shapes(program))
    for values in (ones, others, others, ones):
        assert same(repeated.run(values, threads), execute_program(program, values))


def test_results_stay_when_the_program_runs_again():
    program = product_program()
    values = inputs(program)
    repeated = Repeated(program, shapes(program))
    first = repeated.run(values, 1)["y"]
    kept = first.copy()
    repeated.run({name: 0 * array for name, array in values.items()}, 1)
    assert np.array_equal(first, kept)


def test_wrong_inputs_are_refused_in_every_run():
    program = product_program()
    values = inputs(program)
    repeated = Repeated(program, shapes(program))
    for _ in range(2):
        with pytest.raises(ValueError, match="no values for the input x"):
            repeated.run({"w": values["w"]}, 1)
        with pytest.raises(ValueError, match="input x has 7 values, the program needs 30"):
            repeated.run({**values, "x": np.zeros(7, np.float32)}, 1)
        assert same(repeated.run(values, 1), execute_program(program, values))


def test_a_scale_that_follows_the_values_is_found_in_every_run():
    document = {
        "name": "scaled",
        "dtype": "float16",
        "tensors": {
            "x": {"shape": [6, 32]},
            "w": {"shape": [32, 16], "dtype": "float8_e4m3fnuz", "scale": "auto"},
        },
        "ops": [{"op": "matmul", "inputs": ["x", "w"], "output": "y"}],
    }
    compiled = compile_workload(document, "c600")
    program = compiled.program
    assert program is not None
    casts = [vertices for superstep, _ in program.supersteps() for vertices in superstep.compute]
    assert any(vertices.settings.get("scale") == "auto" for vertices in casts)
    rng = np.random.default_rng(0)
    start = {name: rng.integers(-8, 8, compiled.graph.tensors[name].shape).astype(np.float32) for name in "xw"}
    repeated = Repeated(program, shapes(program))
    for factor in (1.0, 256.0, 0.125):
        values = {"x": start["x"] * np.float32(factor), "w": start["w"]}
        assert same(repeated.run(values, 1), execute_program(program, values))


@pytest.mark.parametrize("method", ["dense", "static", "set"])
def test_a_training_step_runs_again(method, tmp_path):
    workload, chip = load_inputs(classes_workload(write_classes(tmp_path)), None, ())
    training = Training(workload, chip, prepare(workload, method, None, None))
    part = training.programs.step()
    program, tensors = part.compiled.program, part.compiled.graph.tensors
    assert program is not None
    for _ in range(3):
        values = {**training._batches()[0], **training._fed(part)}
        expected = {}
        for name, array in execute_program(program, values).items():
            variable = program.variables[program.outputs[name]]
            expected[name] = unpacked(variable, array, tensors[name].n_elements) if variable.tensor else array
        assert same(part.run(values, 1), expected)
        training._step()
