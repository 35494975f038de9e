"""Convolutions whose weights are sparse while they are trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ipusim.engine.execution import execute_program
from ipusim.engine.initial import unpacked
from ipusim.errors import BadInputError
from ipusim.frontends.backward import differentiate
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.patterns import matrix_shape, matrix_values, tensor_blocks
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Sparsity
from ipusim.ops.registry import find_op
from ipusim.pipeline.compiling import compile_graph, load_inputs
from ipusim.sparse.blocks import blocks_to_dense
from ipusim.sparse.patterns.given import given_option
from ipusim.training.layers import weight_layers
from ipusim.training.optimisers.registry import find_optimiser
from ipusim.training.setup import expanded, initial_masks, initial_weights, prepare
from ipusim.training.step import build_step

STEP = 1e-5
SHAPES = [
    ([2, 4, 5, 6], [6, 4, 3, 2], {"padding": [1, 0, 1, 1]}),
    ([1, 2, 7, 7], [4, 2, 3, 3], {"stride": 2, "padding": 1}),
    ([2, 4, 6], [4, 4, 3], {"dilation": 2}),
    ([2, 4, 5, 5], [6, 4, 1, 1], {}),
]


def forward(x: list[int], w: list[int], attributes: dict[str, Any]) -> Graph:
    """Return the mean of squares of a convolution, weighted so that no two results have the same gradient."""
    kind = f"conv{len(x) - 2}d"
    document: dict[str, Any] = {
        "name": "conv",
        "dtype": "float32",
        "tensors": {"x": {"shape": x}, "w": {"shape": w}},
        "ops": [
            {"op": kind, "inputs": ["x", "w"], "output": "y", **attributes},
            {"op": "mean_squares", "inputs": ["y"], "output": "loss"},
        ],
    }
    return assemble_graph(load_workload(document))


def masked(graph: Graph, block_size: int, mode: str) -> tuple[Graph, Any]:
    """Return the graph with half of the blocks of its weights, and those as a mask of elements."""
    rows, cols = matrix_shape(graph.tensors["w"].shape)
    mask = np.random.default_rng(0).uniform(size=(rows // block_size, cols // block_size)) < 0.5
    sparsity = Sparsity(float(mask.mean()), block_size, mode, "given", {"mask": given_option(mask)}, "auto")
    tensors = {**graph.tensors, "w": replace(graph.tensors["w"], sparsity=sparsity)}
    return replace(graph, tensors=tensors), expanded(mask, (rows, cols))


def evaluate(graph: Graph, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all tensors of a graph by the references of its ops."""
    known = dict(values)
    for op in graph.ops:
        known[op.outputs[0]] = find_op(op.kind).reference(tuple(known[name] for name in op.inputs), op.attrs)
    return known


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("x", "w", "attributes"), SHAPES)
def test_gradients_are_finite_differences(x: list[int], w: list[int], attributes: dict[str, Any], dense: bool) -> None:
    sparse, mask = masked(forward(x, w, attributes), 2, "static")
    found = differentiate(sparse, "loss", ["x", "w"], dense=dense)
    graph = expand_graph(found.graph)
    rng = np.random.default_rng(1)
    values = {"x": rng.normal(size=x), "w": rng.normal(size=mask.shape) * mask, found.seed: np.ones(1)}
    results = evaluate(graph, values)
    gradient = results[found.gradients["w"]]
    assert dense or (gradient[~mask] == 0).all()
    places = np.argwhere(mask | dense)
    for name, each in (("w", places), ("x", np.argwhere(np.ones(x, dtype=bool)))):
        for place in map(tuple, rng.permutation(each)[:6]):
            moved = []
            for sign in (1, -1):
                changed = {**values, name: values[name].copy()}
                changed[name][place] += sign * STEP
                moved.append(evaluate(graph, changed)["loss"].item())
            difference = (moved[0] - moved[1]) / (2 * STEP)
            assert results[found.gradients[name]][place] == pytest.approx(difference, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("mode", "block_size"), [("static", 1), ("static", 4), ("dynamic", 1), ("dynamic", 4)])
def test_a_step_is_executed_as_its_references_say(mode: str, block_size: int) -> None:
    sparse, mask = masked(forward([2, 4, 5, 5], [8, 4, 3, 3], {"padding": 1, "stride": 2}), block_size, mode)
    sgd = find_optimiser("sgd")
    step = build_step(sparse, "loss", ["w"], sgd, {**sgd.options, "momentum": 0.9})
    workload, chip = load_inputs({"name": "f", "tensors": {}, "ops": []}, "tiny")
    program = compile_graph(workload, chip, step.graph).program
    assert program is not None
    rng = np.random.default_rng(2)
    values = {name: rng.normal(size=step.graph.tensors[name].shape).astype(np.float32) for name in program.inputs}
    values |= {name: values[name] * mask for name in ("w", "w#momentum")}
    found = execute_program(program, values, 1, verify=True)
    expected = evaluate(step.graph, {name: array.astype(np.float64) for name, array in values.items()})
    for old in ("w", "w#momentum"):
        new = step.graph.updates[old]
        variable = program.variables[program.outputs[new]]
        array = unpacked(variable, found[new], mask.size) if variable.tensor else found[new]
        np.testing.assert_allclose(array.reshape(mask.shape), expected[new], atol=1e-5)
        assert not (array.reshape(mask.shape) != 0)[~mask].any()


def test_a_given_mask_is_that_of_the_kernel_elements_too() -> None:
    graph, mask = masked(forward([1, 4, 5, 5], [6, 4, 3, 3], {}), 2, "static")
    found = expand_graph(graph).tensors["w"]
    assert found.shape == (6, 36)
    assert np.array_equal(blocks_to_dense(tensor_blocks(found, 0)) != 0, mask)


def workload(**sparsity: Any) -> dict[str, Any]:
    """Return a network with a dense first convolution, a depthwise one, one that may be sparse, and a product."""
    return {
        "name": "net",
        "chip": "tiny",
        "dtype": "float32",
        "tensors": {
            "x": {"shape": [2, 1, 6, 6]},
            "targets": {"shape": [2, 4]},
            "first": {"shape": [8, 1, 3, 3]},
            "depthwise": {"shape": [8, 1, 3, 3]},
            "second": {"shape": [8, 8, 3, 3]},
            "last": {"shape": [32, 4]},
        },
        "ops": [
            {"op": "conv2d", "inputs": ["x", "first"], "output": "a"},
            {"op": "conv2d", "inputs": ["a", "depthwise"], "output": "b", "padding": 1, "groups": 8},
            {"op": "conv2d", "inputs": ["b", "second"], "output": "c", "padding": 1, "stride": 2},
            {"op": "reshape", "inputs": ["c"], "output": "d", "shape": [2, 32]},
            {"op": "matmul", "inputs": ["d", "last"], "output": "logits"},
            {"op": "cross_entropy", "inputs": ["logits", "targets"], "output": "loss"},
        ],
        "training": {
            "data": "digits",
            "inputs": {"images": "x", "targets": "targets"},
            "loss": "loss",
            "predictions": "logits",
            "optimiser": "sgd",
            "learning_rate": {"value": 0.1},
            "steps": 4,
            "sparsity": {"method": "static", "density": 0.25, "dense": ["first"], **sparsity},
        },
    }


def test_layers_of_convolutions_are_sparse_but_for_depthwise_ones() -> None:
    setup = prepare(load_workload(workload(distribution="uniform")))
    assert setup.densities == {"second": 0.25, "last": 0.25}
    layers = {layer.weight.name: layer.may_be_sparse for layer in weight_layers(setup.graph)}
    assert layers == {"first": True, "depthwise": False, "second": True, "last": True}


def test_erk_counts_the_elements_of_kernels() -> None:
    setup = prepare(load_workload(workload(distribution="erk")))
    shares = (8 + 8 + 3 + 3) / (8 * 8 * 3 * 3), (32 + 4) / (32 * 4)
    assert setup.densities["second"] / setup.densities["last"] == pytest.approx(shares[0] / shares[1])
    kept = 72 + 576 * setup.densities["second"] + 128 * setup.densities["last"]
    assert kept == pytest.approx(0.25 * (72 + 576 + 128))


def test_too_many_dense_weights_are_told_at_their_place() -> None:
    with pytest.raises(BadInputError, match=r"training\.sparsity\.density: the layers that stay dense have more"):
        prepare(load_workload(workload(dense=["first", "second"])))


def test_initial_weights_are_a_matrix_with_the_values_of_the_kernel() -> None:
    setup = prepare(load_workload(workload(block_size=4, dense=["first", "last"], distribution="uniform")))
    masks = initial_masks(setup)
    assert masks["second"].shape == (2, 18)
    weights = initial_weights(setup, masks)
    dense = matrix_values(setup.graph.tensors["second"], setup.seed)
    kept = expanded(masks["second"], (8, 72))
    assert np.array_equal(weights["second"] != 0, kept)
    scale = np.float32(1 / float(masks["second"].mean()) ** 0.5)
    np.testing.assert_array_equal(weights["second"][kept], (dense * scale)[kept])
    kernel = setup.graph.tensors["second"]
    assert dense[3, 8 * 4 + 5] == initial_weights(setup, {})["second"][3, 5, 1, 1]
    assert kernel.shape == (8, 8, 3, 3)
