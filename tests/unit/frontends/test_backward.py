"""Gradients beside finite differences of the float64 references, op by op and through a whole graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ipusim.frontends.backward import NotDifferentiableError, differentiate
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ops.registry import find_op

STEP = 1e-5

UNARY = {"exp", "log", "sqrt", "rsqrt", "square", "neg", "reciprocal", "erf", "abs", "relu", "tanh", "sigmoid", "silu"}
UNARY |= {"softplus", "sin", "cos", "inverse_sum"}
SHAPES: dict[str, list[Any]] = {
    "add": [[2, 3, 4], [3, 1]],
    "sub": [[3, 1], [2, 3, 4]],
    "mul": [[2, 3, 4], [4]],
    "div": [[4], [2, 3, 4]],
    "matmul": [[3, 5], [5, 4]],
    "softmax": [[3, 5]],
    "concat": [[2, 3], [4, 3], [1, 3]],
    "layer_norm": [[2, 3, 5], [5], [5]],
    "rms_norm": [[2, 3, 5], [5]],
    "batch_norm_training": [[4, 3, 2], [3], [3]],
    "batch_norm": [[4, 3, 2], [3], [3], [3], [3]],
    "attention": [[2, 4, 3], [2, 5, 3], [2, 5, 6]],
    "where": [[3, 4], [3, 4], [4]],
    "dropout": [[8, 8]],
    "global_avg_pool": [[2, 3, 4, 4]],
    "maximum": [[3, 4], [3, 4]],
    "minimum": [[3, 4], [4]],
    "broadcast_to": [[3, 1]],
    "group_norm": [[2, 4, 3, 2], [4], [4]],
    "log_softmax": [[3, 5]],
    "spmv": [[3, 4], [4]],
    "depth_to_space": [[2, 8, 3, 3]],
    **{name: [[3, 4]] for name in UNARY},
}
ATTRIBUTES: dict[str, list[dict[str, Any]]] = {
    "pow": [{"exponent": 3.0}],
    "scale_shift": [{"scale": 3.0, "shift": 1.0}, {}],
    "softmax": [{}, {"axis": 0}],
    "transpose": [{"axes": [2, 0, 1]}, {}],
    "reshape": [{"shape": [4, 6]}],
    "pad": [{"before": [1, 0, 2], "after": [0, 3, 0]}],
    "slice": [
        {"axis": 1, "start": 1},
        {"axis": 2, "start": 1, "end": 4, "step": 2},
        {"axis": 2, "step": 3},
        {"axis": [0, 2], "start": [0, -1], "step": [1, -2]},
    ],
    "concat": [{"axis": 0}],
    "batch_norm_training": [{}],
    "dropout": [{"p": 0.25, "seed": 3}],
    "sum": [{}, {"axes": [1]}, {"axes": [0, 2], "keepdims": True}],
    "mean": [{}, {"axes": [-1], "keepdims": True}],
    "mean_squares": [{"axes": [1]}],
    "gelu": [{}, {"approximate": "tanh"}],
    "broadcast_to": [{"shape": [2, 3, 4]}],
    "max": [{}, {"axes": [1]}, {"axes": [0, 2], "keepdims": True}],
    "min": [{}, {"axes": [-1], "keepdims": True}],
    "log_softmax": [{}, {"axis": 0}],
    "group_norm": [{"groups": 2}],
    "depth_to_space": [{"block": 2}],
    "inverse_sum": [{"axes": [1]}],
    "inverse_deviation": [{"axes": [-1], "keepdims": True}, {"axes": [0, 2]}],
}


def evaluate(graph: Graph, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of all tensors of a graph by the references of its ops."""
    known = dict(values)
    for op in graph.ops:
        known[op.outputs[0]] = find_op(op.kind).reference(tuple(known[name] for name in op.inputs), op.attrs)
    return known


def constants(graph: Graph) -> dict[str, Any]:
    """Return the values of the inputs that gradients have added."""
    made = {"zeros": np.zeros, "ones": np.ones}
    return {
        name: made[tensor.init.kind](tensor.shape)
        for name, tensor in graph.tensors.items()
        if name.startswith("#") and tensor.init is not None
    }


def check_gradients(document: dict[str, Any], wanted: list[str], seed: int = 0) -> Graph:
    """Compare the gradients of ``loss`` with central differences at a few elements; return the expanded graph."""
    found = differentiate(assemble_graph(load_workload(document)), "loss", wanted)
    graph = expand_graph(found.graph)
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(0.5, 1.5, graph.tensors[name].shape) for name in graph.inputs}
    values[found.seed] = np.ones(graph.tensors[found.seed].shape)
    values |= constants(graph)
    for name, tensor in graph.tensors.items():
        if tensor.sparsity is not None and name in values:
            values[name] *= rng.uniform(size=tensor.shape) < 0.5
    results = evaluate(graph, values)
    for name in wanted:
        gradient = results[found.gradients[name]]
        assert gradient.shape == values[name].shape
        places = np.argwhere(values[name] != 0)
        for place in map(tuple, rng.permutation(places)[:5]):
            moved = []
            for sign in (1, -1):
                changed = {**values, name: values[name].copy()}
                changed[name][place] += sign * STEP
                moved.append(evaluate(graph, changed)["loss"].item())
            assert gradient[place] == pytest.approx((moved[0] - moved[1]) / (2 * STEP), rel=1e-6, abs=1e-8)
    return graph


def one_op(kind: str, shapes: list[list[int]], attributes: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a workload whose loss is a weighted sum of squares of the op's result, and its operands."""
    names = [f"x{index}" for index in range(len(shapes))]
    tensors = {name: {"shape": shape} for name, shape in zip(names, shapes, strict=True)}
    ops = [{"op": kind, "inputs": names, "output": "y", **attributes}]
    workload = {"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}
    size = assemble_graph(load_workload(workload)).tensors["y"].n_elements
    ops += [
        {"op": "reshape", "inputs": ["y"], "output": "row", "shape": [1, size]},
        {"op": "mul", "inputs": ["row", "weights"], "output": "weighted"},
        {"op": "matmul", "inputs": ["weighted", "row"], "output": "loss", "transpose_b": True},
    ]
    tensors["weights"] = {"shape": [1, size]}
    return workload, names


CASES = [
    (name, SHAPES.get(name, [[2, 3, 4]]), attributes)
    for name in sorted({*SHAPES, *ATTRIBUTES})
    for attributes in ATTRIBUTES.get(name, [{}])
]


@pytest.mark.parametrize(("kind", "shapes", "attributes"), CASES)
def test_gradient_of_an_op(kind: str, shapes: list[list[int]], attributes: dict[str, Any]) -> None:
    workload, names = one_op(kind, shapes, attributes)
    check_gradients(workload, names[1:] if kind == "where" else names)


CONVOLUTIONS = [
    ([[2, 3, 7, 6], [4, 3, 3, 2]], {}),
    ([[2, 3, 7, 6], [4, 3, 3, 2]], {"padding": [1, 0, 2, 1]}),
    ([[1, 2, 9, 8], [3, 2, 3, 3]], {"stride": [2, 3], "padding": 1}),
    ([[1, 2, 9, 9], [3, 2, 2, 3]], {"dilation": [3, 2], "stride": 2}),
    ([[2, 4, 5, 5], [6, 2, 3, 3]], {"groups": 2, "padding": 1}),
    ([[1, 4, 5, 5], [4, 1, 3, 3]], {"groups": 4, "padding": 1, "stride": 2}),
    ([[1, 2, 5, 5], [3, 2, 1, 1]], {"stride": 2, "padding": 1}),
]


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel": 2, "stride": 2},
        {"kernel": [3, 2], "stride": [2, 1]},
        {"kernel": 3, "stride": 2, "padding": 1, "include_padding": True},
    ],
)
def test_gradient_of_mean_pooling(attributes: dict[str, Any]) -> None:
    workload, names = one_op("avg_pool2d", [[2, 3, 7, 8]], attributes)
    check_gradients(workload, names)


POOLS = [
    {"kernel": 2, "stride": 2},
    {"kernel": [3, 2], "stride": [3, 2]},
    {"kernel": [3, 2], "stride": [2, 1]},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": [3, 2], "stride": [1, 3], "padding": [1, 0, 2, 1]},
    {"kernel": 2, "stride": 3},
]


@pytest.mark.parametrize("kind", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("attributes", POOLS)
def test_gradient_of_pooling(kind: str, attributes: dict[str, Any]) -> None:
    workload, names = one_op(kind, [[2, 3, 7, 8]], attributes)
    check_gradients(workload, names)


@pytest.mark.parametrize("kind", ["max_pool1d", "avg_pool1d"])
@pytest.mark.parametrize("attributes", [{"kernel": 2, "stride": 2}, {"kernel": 3, "stride": 2, "padding": 1}])
def test_gradient_of_pooling_in_one_dimension(kind: str, attributes: dict[str, Any]) -> None:
    workload, names = one_op(kind, [[2, 3, 9]], attributes)
    check_gradients(workload, names)


def gradient_at(document: dict[str, Any], values: dict[str, Any]) -> Any:
    """Return the gradient of the sum of ``y`` with respect to ``x0`` for given operands."""
    ops = [*document["ops"][:1], {"op": "sum", "inputs": ["y"], "output": "loss"}]
    found = differentiate(assemble_graph(load_workload({**document, "ops": ops})), "loss", ["x0"])
    graph = expand_graph(found.graph)
    given = {name: np.ones(graph.tensors[name].shape) for name in graph.inputs} | constants(graph) | values
    return evaluate(graph, given)[found.gradients["x0"]]


@pytest.mark.parametrize("attributes", [{"kernel": 2, "stride": 2}, {"kernel": 3, "stride": 1, "padding": 1}])
def test_equal_elements_of_a_window_share_its_gradient(attributes: dict[str, Any]) -> None:
    workload, _ = one_op("max_pool2d", [[1, 1, 4, 4]], attributes)
    result = gradient_at(workload, {"x0": np.zeros((1, 1, 4, 4))})
    windows = 4 if attributes["kernel"] == 2 else 16
    assert result.sum() == pytest.approx(windows)
    assert np.allclose(result, result[:, :, ::-1])
    if attributes["kernel"] == 2:
        assert (result == 0.25).all()


def test_equal_largest_elements_share_the_gradient() -> None:
    workload, _ = one_op("max", [[2, 4]], {"axes": [1]})
    result = gradient_at(workload, {"x0": np.array([[1.0, 3.0, 3.0, 0.0], [2.0, 1.0, 0.0, -1.0]])})
    assert result.tolist() == [[0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]]


PIECEWISE: list[tuple[str, dict[str, Any], Any]] = [
    ("clip", {"low": -1.0, "high": 0.5}, lambda x: (x >= -1) & (x <= 0.5)),
    ("leaky_relu", {"slope": 0.25}, lambda x: np.where(x > 0, 1.0, 0.25)),
    ("elu", {"alpha": 2.0}, lambda x: np.where(x > 0, 1.0, 2.0 * np.exp(x))),
    ("softplus", {}, lambda x: 1 / (1 + np.exp(-x))),
    ("hard_sigmoid", {}, lambda x: np.where(np.abs(x) < 3, 1 / 6, 0.0)),
    ("hard_swish", {}, lambda x: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, x / 3 + 0.5))),
    ("relu", {}, lambda x: (x > 0) * 1.0),
]


@pytest.mark.parametrize(("kind", "attributes", "slope"), PIECEWISE, ids=[each[0] for each in PIECEWISE])
def test_gradient_on_both_sides_of_a_bend(kind: str, attributes: dict[str, Any], slope: Any) -> None:
    x = np.array([[-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.5, 3.0, 5.0]])
    workload, names = one_op(kind, [[1, 12]], attributes)
    output = np.asarray(find_op(kind).reference((x,), {**{a.name: a.default for a in find_op(kind).attributes},
                                                       **attributes}))  # fmt: skip
    assert output.shape == x.shape
    np.testing.assert_allclose(gradient_at(workload, {"x0": x}), slope(x), rtol=1e-12)
    check_gradients(workload, names)


def test_gradient_of_added_rows() -> None:
    tensors = {
        "x0": {"shape": [3, 2]},
        "table": {"shape": [5, 2]},
        "rows": {"shape": [3], "dtype": "int32", "init": {"values": [1, 4, 1]}},
    }
    ops = [
        {"op": "square", "inputs": ["x0"], "output": "squares"},
        {"op": "scatter_add", "inputs": ["table", "squares", "rows"], "output": "added"},
        {"op": "mean_squares", "inputs": ["added"], "output": "loss"},
    ]
    graph = assemble_graph(load_workload({"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}))
    found = differentiate(graph, "loss", ["x0", "table"])
    rng = np.random.default_rng(0)
    x, table, rows = rng.normal(size=(3, 2)), rng.normal(size=(5, 2)), np.array([1.0, 4.0, 1.0])
    given = {"x0": x, "table": table, "rows": rows, found.seed: np.ones(1)}
    results = evaluate(expand_graph(found.graph), given)
    total = table.copy()
    np.add.at(total, rows.astype(int), x**2)
    np.testing.assert_allclose(results[found.gradients["table"]], total / 5, rtol=1e-12)
    np.testing.assert_allclose(results[found.gradients["x0"]], 2 * x * (total / 5)[rows.astype(int)], rtol=1e-12)


@pytest.mark.parametrize(("shapes", "attributes"), CONVOLUTIONS)
def test_gradient_of_a_convolution(shapes: list[list[int]], attributes: dict[str, Any]) -> None:
    workload, names = one_op("conv2d", shapes, attributes)
    check_gradients(workload, names)


def test_gradient_of_a_convolution_of_one_dimension() -> None:
    workload, names = one_op("conv1d", [[2, 3, 9], [4, 3, 3]], {"stride": 2, "padding": 1})
    check_gradients(workload, names)


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("batches", [((), ()), ((2, 3), (2, 3)), ((2, 3), ()), ((), (2, 3))])
def test_gradient_of_a_product(turned: tuple[bool, bool], batches: tuple[tuple[int, ...], ...]) -> None:
    m, k, n = 3, 4, 5
    left, right = ((k, m) if turned[0] else (m, k)), ((n, k) if turned[1] else (k, n))
    shapes = [[*batch, *shape] for batch, shape in zip(batches, (left, right), strict=True)]
    workload, names = one_op("matmul", shapes, {"transpose_a": turned[0], "transpose_b": turned[1]})
    check_gradients(workload, names)


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("which", [0, 1])
def test_gradient_of_a_sparse_operand_is_at_its_nonzeros(turned: tuple[bool, bool], which: int) -> None:
    m, k, n = 4, 6, 5
    shapes = [[k, m] if turned[0] else [m, k], [n, k] if turned[1] else [k, n]]
    workload, names = one_op("matmul", shapes, {"transpose_a": turned[0], "transpose_b": turned[1]})
    workload["tensors"][names[which]]["sparsity"] = {"density": 0.5}
    graph = check_gradients(workload, names)
    gradient = next(op for op in graph.ops if op.kind == "matmul_at_nonzeros").outputs[0]
    sparsity = graph.tensors[gradient].sparsity
    assert sparsity is not None
    assert sparsity.pattern_of == names[which]


def test_gradient_of_looked_up_rows() -> None:
    tensors = {"table": {"shape": [5, 3]}, "rows": {"shape": [4], "dtype": "int32", "init": {"values": [1, 4, 1, 0]}}}
    ops = [
        {"op": "gather", "inputs": ["table", "rows"], "output": "y"},
        {"op": "sum", "inputs": ["y"], "output": "loss"},
    ]
    workload = {"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}
    found = differentiate(assemble_graph(load_workload(workload)), "loss", ["table"])
    graph = expand_graph(found.graph)
    values = {name: np.zeros(graph.tensors[name].shape) for name in graph.inputs}
    values |= {found.seed: np.ones(1), "rows": np.array([1.0, 4.0, 1.0, 0.0])}
    gradient = evaluate(graph, values)[found.gradients["table"]]
    assert gradient.tolist() == [[1.0] * 3, [2.0] * 3, [0.0] * 3, [0.0] * 3, [1.0] * 3]


def test_gradient_of_cross_entropy() -> None:
    tensors = {"x": {"shape": [6, 4]}, "w": {"shape": [4, 3]}, "targets": {"shape": [6, 3]}}
    ops = [
        {"op": "matmul", "inputs": ["x", "w"], "output": "logits"},
        {"op": "cross_entropy", "inputs": ["logits", "targets"], "output": "loss"},
    ]
    workload = {"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}
    found = differentiate(assemble_graph(load_workload(workload)), "loss", ["w"])
    graph = expand_graph(found.graph)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(6, 4)), rng.normal(size=(4, 3))
    targets = np.eye(3)[rng.integers(0, 3, 6)]
    results = evaluate(graph, {"x": x, "w": w, "targets": targets, found.seed: np.ones(1)})
    power = np.exp(x @ w)
    expected = x.T @ (power / power.sum(axis=1, keepdims=True) - targets) / 6
    np.testing.assert_allclose(results[found.gradients["w"]], expected, rtol=1e-12)


def test_a_tensor_with_several_readers_has_the_sum() -> None:
    ops = [
        {"op": "square", "inputs": ["x"], "output": "a"},
        {"op": "exp", "inputs": ["x"], "output": "b"},
        {"op": "matmul", "inputs": ["a", "b"], "output": "c", "transpose_b": True},
        {"op": "matmul", "inputs": ["c", "x"], "output": "d"},
        {"op": "matmul", "inputs": ["d", "x"], "output": "loss", "transpose_b": True},
    ]
    check_gradients({"name": "one", "dtype": "float32", "tensors": {"x": {"shape": [1, 4]}}, "ops": ops}, ["x"])


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([{"op": "square", "inputs": ["x"], "output": "loss"}], "more than one element"),
        (
            [{"op": "sign", "inputs": ["x"], "output": "y2"}, {"op": "sum", "inputs": ["y2"], "output": "loss"}],
            "sign has no gradient",
        ),
        ([{"op": "matmul", "inputs": ["y", "y"], "output": "loss", "transpose_b": True}], "does not depend on 'x'"),
    ],
)
def test_what_has_no_gradient_is_said(ops: list[dict[str, Any]], message: str) -> None:
    ops.append({"op": "neg", "inputs": ["x"], "output": "other"})
    tensors = {"x": {"shape": [1, 4]}, "y": {"shape": [1, 4]}}
    graph = assemble_graph(load_workload({"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}))
    with pytest.raises(NotDifferentiableError, match=message):
        differentiate(graph, "loss", ["x"])
