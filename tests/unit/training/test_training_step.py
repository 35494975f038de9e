"""The graph of a training step beside the same step written in numpy, by the float64 references of its ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.patterns import sparse_values
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.lower.homes import same_home
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import compile_graph, load_inputs
from ipusim.sparse.patterns.given import given_option
from ipusim.sparse.patterns.registry import build_pattern
from ipusim.sparse.patterns.spec import PatternError, PatternRequest, density_of
from ipusim.training.optimisers.registry import find_optimiser, optimiser_names
from ipusim.training.step import RATE, StepGraph, StepOptions, build_dense_gradients, build_step

RATE_NAME = f"{RATE}-float32"


def forward(sparse: bool = False) -> Graph:
    """Return a linear layer with a mean of squares as its loss."""
    sparsity = {"sparsity": {"density": 0.5}} if sparse else {}
    tensors = {"x": {"shape": [8, 4]}, "w": {"shape": [4, 6], **sparsity}, "b": {"shape": [6]}}
    ops = [
        {"op": "matmul", "inputs": ["x", "w"], "output": "p"},
        {"op": "add", "inputs": ["p", "b"], "output": "y"},
        {"op": "mean_squares", "inputs": ["y"], "output": "loss"},
    ]
    return assemble_graph(load_workload({"name": "f", "dtype": "float32", "tensors": tensors, "ops": ops}))


def evaluate(graph: Graph, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all tensors of a graph by the references of its ops."""
    known = dict(values)
    for op in graph.ops:
        known[op.outputs[0]] = find_op(op.kind).reference(tuple(known[name] for name in op.inputs), op.attrs)
    return known


def trained(step: StepGraph, values: dict[str, Any], rates: list[float]) -> dict[str, Any]:
    """Return the inputs after some steps: weights and states."""
    values = {**values, step.seed: np.ones(1)}
    for name in step.states:
        values[name] = np.zeros(step.graph.tensors[name].shape)
    for rate in rates:
        values[RATE_NAME] = np.array([rate])
        results = evaluate(step.graph, values)
        values |= {name: results[changed] for name, changed in step.graph.updates.items()}
    return values


def start() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(8, 4)), "w": rng.normal(size=(4, 6)), "b": rng.normal(size=6)}


def gradients(values: dict[str, Any]) -> dict[str, Any]:
    result = 2 * (values["x"] @ values["w"] + values["b"]) / 48
    return {"w": values["x"].T @ result, "b": result.sum(axis=0)}


@pytest.mark.parametrize("nesterov", [0.0, 1.0])
def test_sgd_with_momentum(nesterov: float) -> None:
    options = {"momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.01}
    step = build_step(forward(), "loss", ["w", "b"], find_optimiser("sgd"), options)
    found = trained(step, start(), [0.1, 0.1, 0.05])
    values, momentum = start(), {"w": 0.0, "b": 0.0}
    for rate in (0.1, 0.1, 0.05):
        for name, gradient in gradients(values).items():
            decayed = gradient + 0.01 * values[name]
            momentum[name] = 0.9 * momentum[name] + decayed
            values[name] = values[name] - rate * (decayed + 0.9 * momentum[name] if nesterov else momentum[name])
    for name in ("w", "b"):
        np.testing.assert_allclose(found[name], values[name], rtol=1e-12)


def test_adam() -> None:
    adam = find_optimiser("adam")
    step = build_step(forward(), "loss", ["w", "b"], adam, adam.options)
    rates = [adam.rate(0.01, number, adam.options) for number in range(3)]
    found = trained(step, start(), rates)
    values, mean, variance = start(), {"w": 0.0, "b": 0.0}, {"w": 0.0, "b": 0.0}
    for number in range(1, 4):
        for name, gradient in gradients(values).items():
            mean[name] = 0.9 * mean[name] + 0.1 * gradient
            variance[name] = 0.999 * variance[name] + 0.001 * gradient**2
            rate = 0.01 * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
            values[name] = values[name] - rate * mean[name] / (np.sqrt(variance[name]) + 1e-8)
    for name in ("w", "b"):
        np.testing.assert_allclose(found[name], values[name], rtol=1e-12)


def test_the_scale_of_the_loss_is_taken_back() -> None:
    sgd = find_optimiser("sgd")
    plain = build_step(forward(), "loss", ["w"], sgd, sgd.options)
    scaled = build_step(forward(), "loss", ["w"], sgd, sgd.options, how=StepOptions(loss_scale=64.0))
    values = start() | {RATE_NAME: np.array([0.1])}
    once = evaluate(plain.graph, {**values, plain.seed: np.ones(1)})[plain.graph.updates["w"]]
    again = evaluate(scaled.graph, {**values, scaled.seed: np.full(1, 64.0)})[scaled.graph.updates["w"]]
    np.testing.assert_allclose(once, again, rtol=1e-12)


@pytest.mark.parametrize("name", optimiser_names())
def test_states_of_a_sparse_weight_are_sparse(name: str) -> None:
    optimiser = find_optimiser(name)
    options = {**optimiser.options, **({"momentum": 0.9} if name == "sgd" else {})}
    step = build_step(forward(sparse=True), "loss", ["w"], optimiser, options)
    assert step.states
    for state in (*step.states, *step.graph.updates.values()):
        sparsity = step.graph.tensors[state].sparsity
        assert sparsity is not None
        assert sparsity.pattern_of == "w"


def test_dense_gradients_of_sparse_weights() -> None:
    graph, found, seed = build_dense_gradients(forward(sparse=True), "loss", ["w"])
    values = start()
    values["w"] *= np.random.default_rng(1).uniform(size=(4, 6)) < 0.5
    results = evaluate(graph, {**values, seed: np.ones(1)})
    assert graph.tensors[found["w"]].sparsity is None
    np.testing.assert_allclose(results[found["w"]], gradients(values)["w"], rtol=1e-12)


def test_a_given_pattern_is_what_was_given() -> None:
    mask = np.random.default_rng(0).uniform(size=(3, 5)) < 0.5
    request = PatternRequest((6, 10), 2, density_of(0.5), options={"mask": given_option(mask)})
    blocks = build_pattern("given", request)
    assert np.stack([blocks.rows, blocks.cols], axis=1).tolist() == np.argwhere(mask).tolist()
    with pytest.raises(PatternError, match="8 bits, there are 15 blocks"):
        build_pattern("given", PatternRequest((6, 10), 2, density_of(0.5), options={"mask": b"a"}))


@pytest.mark.parametrize("sparse", [False, True])
def test_a_new_weight_takes_the_place_of_the_old_one(sparse: bool) -> None:
    sgd = find_optimiser("sgd")
    step = build_step(forward(sparse), "loss", ["w"], sgd, {**sgd.options, "momentum": 0.9})
    workload, chip = load_inputs({"name": "f", "tensors": {}, "ops": []}, "tiny")
    compiled = compile_graph(workload, chip, step.graph)
    program = compiled.program
    assert program is not None
    assert set(program.updates) == {program.inputs["w"], program.inputs["w#momentum"]}
    for old, new in program.updates.items():
        home = program.variables[old].home
        assert home is not None
        assert same_home(program.variables[new].home, home)
        assert program.variables[new].over == old
    values = {name: tensor_values(step.graph.tensors[name], 0) for name in program.inputs}
    if sparse:
        values["w"] = sparse_values(step.graph.tensors["w"], 0)
    found = execute_program(program, values, 1, verify=True)
    expected = evaluate(step.graph, {name: array.astype(np.float64) for name, array in values.items()})
    changed = step.graph.updates["w"]
    variable = program.variables[program.outputs[changed]]
    array = unpacked(variable, found[changed], 24) if variable.tensor else found[changed]
    np.testing.assert_allclose(array.reshape(4, 6), expected[changed], atol=1e-5)
