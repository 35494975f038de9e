"""What sizes of templates, kinds of operands, values and patterns are refused, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.entries import read_room
from ipusim.frontends.models.names import readable
from ipusim.frontends.patterns import matrix_values, sparse_values, tensor_blocks
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ir.tensor import Init, Tensor


def problems_of(document: dict[str, Any]) -> list[str]:
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload({"name": "w", "dtype": "float16", **document}))
    return [str(problem).removeprefix("<dict>: ") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"bert-base": {"heads": 7}}, "model.bert-base.heads: 7 heads do not divide the 768 hidden features"),
        ({"bert-large": {"sequence": 513}}, "model.bert-large.sequence: 513 tokens are more than the 512 positions"),
        ({"gpt2": {"heads": 7}}, "model.gpt2.heads: 7 heads do not divide the 768 hidden features"),
        ({"gpt2": {"sequence": 1024}}, "model.gpt2.sequence: 1025 tokens are more than the 1024 positions"),
        ({"transformer": {"heads": 7}}, "model.transformer.heads: 7 heads do not divide the 768 hidden features"),
        ({"transformer": {"kv_heads": 5}}, "model.transformer.kv_heads: 5 do not divide the 12 heads"),
        ({"transformer": {"phase": "decode"}}, "model.transformer.phase: an encoder has no decode phase"),
        ({"vit-b16": {"heads": 7}}, "model.vit-b16.heads: 7 heads do not divide the 768 hidden features"),
        ({"vit-b16": {"patch": 15}}, "model.vit-b16.patch: patches of 15 do not divide the 224 pixels"),
        ({"dlrm": {"bottom": []}}, "model.dlrm.bottom: the bottom network has to end with the 16 features"),
        ({"dlrm": {"features": 8}}, "model.dlrm.bottom: the bottom network has to end with the 8 features"),
        ({"dlrm": {"tables": 2**12, "rows": 2**20}}, "model.dlrm.rows: 4096 tables of 1048576 have more rows than"),
        ({"dlrm": {"top": []}}, "model.dlrm.top: the top network has no layer"),
    ],
    ids=str,
)
def test_sizes_of_templates(model: dict[str, Any], message: str) -> None:
    (found,) = problems_of({"model": model})
    assert found.startswith(message)


X = {"shape": [8, 8]}
SPARSE = {"shape": [8, 8], "sparsity": {"density": 0.5, "block_size": 1}}
WHOLE = {"shape": [8, 8], "dtype": "int32", "init": "zeros"}


@pytest.mark.parametrize(
    ("tensors", "op", "message"),
    [
        ({"a": X, "b": X}, {"op": "gather", "inputs": ["a", "b"]}, "ops.0.inputs.1: b is float16, and gather takes"),
        ({"a": WHOLE, "b": X}, {"op": "matmul", "inputs": ["a", "b"]}, "ops.0.inputs.0: a holds whole numbers"),
        ({"a": SPARSE}, {"op": "softmax", "inputs": ["a"]}, "ops.0.inputs.0: a is sparse, and softmax takes only"),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) and "op" in value else "",
)
def test_kinds_of_operands(tensors: dict[str, Any], op: dict[str, Any], message: str) -> None:
    assert problems_of({"tensors": tensors, "ops": [op | {"output": "y"}]})[0].startswith(message)


def test_a_sparse_result_is_no_operand_of_a_product() -> None:
    ops = [
        {"op": "relu", "inputs": ["a"], "output": "r"},
        {"op": "matmul", "inputs": ["r", "b"], "output": "y"},
    ]
    (found,) = problems_of({"tensors": {"a": SPARSE, "b": X}, "ops": ops})
    assert found.startswith("ops.1.inputs.0: r is a result; a sparse operand has to be an input of the file")


@pytest.mark.parametrize(
    ("entry", "messages"),
    [
        ({"dtype": "int32"}, ["tensors.a.dtype: a is int32, and normal values are no whole numbers"]),
        (
            {"dtype": "int32", "init": "uniform"},
            ["tensors.a.init: a is int32, and uniform values are no whole numbers"],
        ),
        ({"init": {"integers": {"below": 5}}}, ["tensors.a.init: a is float16, and integers are values of int32"]),
        (
            WHOLE | {"sparsity": {"density": 0.5, "block_size": 1}},
            ["tensors.a.sparsity: a holds whole numbers, which are not sparse"],
        ),
    ],
)
def test_kinds_of_values(entry: dict[str, Any], messages: list[str]) -> None:
    ops = [{"op": "transpose", "inputs": ["a"], "output": "y"}]
    found = problems_of({"tensors": {"a": {"shape": [8, 8], **entry}}, "ops": ops})
    assert [text[: len(message)] for text, message in zip(found, messages, strict=False)] == messages


def convolution(pattern: str, **sizes: Any) -> dict[str, Any]:
    sparsity = {"density": 0.5, "block_size": 1, "pattern": pattern}
    tensors = {"x": {"shape": [1, 4, 6, 6]}, "w": {"shape": [8, 4, 3, 3], "sparsity": sparsity, **sizes}}
    return {"tensors": tensors, "ops": [{"op": "conv2d", "inputs": ["x", "w"], "output": "y"}]}


def test_no_magnitudes_choose_the_blocks_of_a_convolution() -> None:
    (found,) = problems_of(convolution("magnitude"))
    assert found.startswith("tensors.w.sparsity.pattern: the magnitudes of weights of a convolution choose no blocks")


def test_weights_of_a_convolution_have_the_same_blocks_at_each_element_of_the_kernel() -> None:
    graph = build_graph(load_workload({"name": "w", "dtype": "float16", **convolution("random")}))
    (weights,) = [tensor for tensor in graph.tensors.values() if tensor.sparsity]
    assert weights.sparsity is not None
    assert (weights.shape, weights.sparsity.kernel) == ((8, 36), (3, 3))
    blocks = tensor_blocks(weights, 0)
    pattern = np.zeros((8, 9, 4), bool)
    pattern[blocks.rows, blocks.cols // 4, blocks.cols % 4] = True
    assert pattern.sum() == 9 * 16
    assert (pattern == pattern[:, :1]).all()
    values = sparse_values(weights, 0).reshape(8, 9, 4)
    assert ((values != 0) == pattern).all()
    # the values are those of the same weights without a pattern, the channels last
    dense = {"name": "w", "dtype": "float16", **convolution("random")}
    dense["tensors"]["w"] = {"shape": [8, 4, 3, 3]}
    plain = build_graph(load_workload(dense)).tensors["w"]
    np.testing.assert_array_equal(values[pattern], matrix_values(plain, 0).reshape(8, 9, 4)[pattern])


def test_values_in_order() -> None:
    ordered = Tensor("a", (2, 3), "float32", Init("arange"))
    np.testing.assert_array_equal(tensor_values(ordered, 0), [[0, 1, 2], [3, 4, 5]])


def test_whole_numbers_from_a_file_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    tensor = Tensor("a", (2,), "int32", Init("file", file=str(path)))
    np.save(path, np.array([3.0, 4.0], np.float32))
    np.testing.assert_array_equal(tensor_values(tensor, 0), [3, 4])
    np.save(path, np.array([3.0, 4.5], np.float32))
    with pytest.raises((BadInputError, ValueError), match="holds values that are no whole numbers, but a is int32"):
        tensor_values(tensor, 1)


def test_rooms_and_names() -> None:
    assert read_room("auto") == "auto"
    assert readable("9/conv:0") == "_9/conv:0"
    assert readable("/layer 1/Add") == "layer_1/Add"


@pytest.mark.parametrize("ops", [5, [5], [{"op": "relu"}], [{"op": "relu", "inputs": [1], "output": "y"}]], ids=str)
def test_formats_of_layers_wait_for_a_sound_network(ops: Any) -> None:
    layers = {"layers": {"a": {"dtype": "float32"}}}
    found = problems_of({"tensors": {"a": X}, "ops": ops, **layers})
    assert found
    assert all(text.startswith("ops") for text in found)
    assert problems_of({"tensors": {"a": 3}, "ops": [], **layers})[0].startswith("tensors.a")
