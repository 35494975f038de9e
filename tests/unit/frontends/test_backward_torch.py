"""Gradients beside those of PyTorch, where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ipusim.frontends.backward import differentiate
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op

torch = pytest.importorskip("torch")
F = torch.nn.functional

FIELD = [2, 4, 7, 8]
CASES: list[tuple[str, list[list[int]], dict[str, Any], Callable[..., Any]]] = [
    ("matmul", [[3, 5], [5, 4]], {}, lambda a, b: a @ b),
    ("relu", [[5, 6]], {}, lambda x: F.relu(x)),
    ("leaky_relu", [[5, 6]], {"slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    ("elu", [[5, 6]], {"alpha": 1.5}, lambda x: F.elu(x, 1.5)),
    ("gelu", [[5, 6]], {}, lambda x: F.gelu(x)),
    ("gelu", [[5, 6]], {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
    ("silu", [[5, 6]], {}, lambda x: F.silu(x)),
    ("sigmoid", [[5, 6]], {}, lambda x: torch.sigmoid(x)),
    ("tanh", [[5, 6]], {}, lambda x: torch.tanh(x)),
    ("softplus", [[5, 6]], {}, lambda x: F.softplus(x, threshold=1000)),
    ("hard_sigmoid", [[5, 6]], {}, lambda x: F.hardsigmoid(x)),
    ("hard_swish", [[5, 6]], {}, lambda x: F.hardswish(x)),
    ("clip", [[5, 6]], {"low": -0.5, "high": 1.0}, lambda x: torch.clamp(x, -0.5, 1.0)),
    ("max", [[5, 6]], {"axes": [1]}, lambda x: torch.amax(x, 1)),
    ("min", [[5, 6]], {"axes": [0]}, lambda x: torch.amin(x, 0)),
    ("softmax", [[5, 6]], {}, lambda x: F.softmax(x, -1)),
    ("log_softmax", [[5, 6]], {"axis": 0}, lambda x: F.log_softmax(x, 0)),
    ("layer_norm", [[2, 3, 6], [6], [6]], {}, lambda x, w, b: F.layer_norm(x, (6,), w, b)),
    ("group_norm", [FIELD, [4], [4]], {"groups": 2}, lambda x, w, b: F.group_norm(x, 2, w, b)),
    ("batch_norm_training", [FIELD, [4], [4]], {}, lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)),
    ("max_pool2d", [FIELD], {"kernel": 2, "stride": 2}, lambda x: F.max_pool2d(x, 2)),
    ("max_pool2d", [FIELD], {"kernel": 3, "stride": 2, "padding": 1}, lambda x: F.max_pool2d(x, 3, 2, 1)),
    ("max_pool1d", [[2, 4, 9]], {"kernel": 3, "stride": 1}, lambda x: F.max_pool1d(x, 3, 1)),
    (
        "avg_pool2d",
        [FIELD],
        {"kernel": 3, "stride": 2, "padding": 1},
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    ),
    (
        "avg_pool2d",
        [FIELD],
        {"kernel": 3, "stride": 2, "padding": 1, "include_padding": True},
        lambda x: F.avg_pool2d(x, 3, 2, 1),
    ),
    (
        "conv2d",
        [FIELD, [6, 2, 3, 3]],
        {"groups": 2, "stride": 2, "padding": 1},
        lambda x, w: F.conv2d(x, w, stride=2, padding=1, groups=2),
    ),
    ("conv1d", [[2, 3, 9], [4, 3, 3]], {"dilation": 2}, lambda x, w: F.conv1d(x, w, dilation=2)),
    (
        "attention",
        [[2, 4, 3], [2, 5, 3], [2, 5, 6]],
        {},
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
    ),
]


@pytest.mark.parametrize(("kind", "shapes", "attributes", "function"), CASES)
def test_a_gradient_is_that_of_pytorch(
    kind: str, shapes: list[list[int]], attributes: dict[str, Any], function: Callable[..., Any]
) -> None:
    names = [f"x{index}" for index in range(len(shapes))]
    tensors: dict[str, Any] = {name: {"shape": shape} for name, shape in zip(names, shapes, strict=True)}
    ops = [
        {"op": kind, "inputs": names, "output": "y", **attributes},
        {"op": "sin", "inputs": ["y"], "output": "bent"},
        {"op": "mean_squares", "inputs": ["bent"], "output": "loss"},
    ]
    document = {"name": "one", "dtype": "float32", "tensors": tensors, "ops": ops}
    found = differentiate(assemble_graph(load_workload(document)), "loss", names)
    graph = expand_graph(found.graph)
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {name: rng.normal(size=shape) for name, shape in zip(names, shapes, strict=True)}
    known = {name: tensor_values(graph.tensors[name], 0).astype(np.float64) for name in graph.inputs} | values
    for op in graph.ops:
        known[op.outputs[0]] = find_op(op.kind).reference(tuple(known[name] for name in op.inputs), op.attrs)
    operands = [torch.tensor(values[name], dtype=torch.float64, requires_grad=True) for name in names]
    loss = torch.sin(function(*operands)).square().mean()
    loss.backward()
    assert known["loss"].item() == pytest.approx(loss.item(), rel=1e-9)
    for name, operand in zip(names, operands, strict=True):
        np.testing.assert_allclose(known[found.gradients[name]], operand.grad.numpy(), rtol=1e-7, atol=1e-10)
