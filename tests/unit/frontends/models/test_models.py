"""``model:`` and ``layers:`` of a workload file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.models.registry import find_model, model_names
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload


def network(model: Any, **further: Any) -> dict[str, Any]:
    return {"name": "network", "model": model} | further


SMALL = {"mlp": {"features": [16, 16, 8], "batch": 4}}


def test_every_source_has_what_the_schema_needs() -> None:
    assert "mlp" in model_names()
    for name in model_names():
        source = find_model(name)
        assert source.name == name
        assert source.summary
        assert not source.summary.endswith(".")
        assert all(field.description for field in source.options.model_fields.values())
    with pytest.raises(KeyError):
        find_model("resnet")


def test_a_bare_word_has_all_defaults() -> None:
    word, mapping = load_workload(network("mlp")), load_workload(network({"mlp": None}))
    assert word.tensors == mapping.tensors
    assert word.tensors["layers.0.linear.weight"].shape == (784, 512)


def test_settings_reach_the_options() -> None:
    for source in (network("mlp"), load_workload(network("mlp"))):
        workload = load_workload(source, ["model.mlp.batch=3", "dtype=float32"])
        assert workload.tensors["input"].shape == (3, 784)
        assert workload.dtype == "float32"
        assert "model" not in workload.document.data
        assert workload.source.data["model"] == {"mlp": {"batch": 3}}


def test_outputs_of_the_file_go_first() -> None:
    assert load_workload(network(SMALL)).outputs == ("layers.1.linear",)
    assert load_workload(network(SMALL, outputs=["layers.0.relu"])).outputs == ("layers.0.relu",)


def test_of_several_patterns_the_last_one_counts() -> None:
    layers = {
        "*": {"density": "1/4", "mode": "dynamic", "partials": "float16"},
        "layers.1": {"density": "1/2", "block_size": 4, "memory": "sram"},
        "layers.1.linear.product": {"partials": "float32"},
    }
    workload = load_workload(network(SMALL, layers=layers))
    first, second = (workload.tensors[f"layers.{number}.linear.weight"].sparsity for number in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.density, first.block_size, first.mode) == (0.25, 1, "dynamic")
    assert (second.density, second.block_size, second.mode) == (0.5, 4, "dynamic")
    assert workload.tensors["input"].sparsity is None
    assert workload.tensors["layers.0.linear.bias"].sparsity is None
    attributes = [op.model_extra for op in workload.ops if op.op == "matmul"]
    assert attributes == [{"partials": "float16"}, {"partials": "float32"}]


def test_casts_stand_where_formats_meet() -> None:
    layers = {"layers.0.relu": {"dtype": "float32"}, "layers.1.linear.bias": {"dtype": "float32"}}
    graph = build_graph(load_workload(network(SMALL, layers=layers)))
    casts = [(op.name, op.attrs["to"]) for op in graph.ops if op.kind == "cast"]
    assert casts == [
        ("layers.0.linear.float32", "float32"),
        ("layers.0.relu.float16", "float16"),
        ("layers.1.linear.bias.float16", "float16"),
    ]
    assert graph.tensors["layers.0.relu"].dtype == "float32"
    assert graph.tensors["layers.1.linear"].dtype == "float16"


def test_weights_follow_the_format_of_their_ops() -> None:
    graph = build_graph(load_workload(network(SMALL, layers={"layers.1.linear.product": {"dtype": "float32"}})))
    assert graph.tensors["layers.1.linear.weight"].dtype == "float32"
    assert graph.tensors["layers.1.linear.bias"].dtype == "float16"
    assert [op.name for op in graph.ops if op.kind == "cast"] == [
        "layers.0.relu.float32",
        "layers.1.linear.product.float16",
    ]


def test_float16_partials_give_way_to_float32() -> None:
    layers = {"*": {"partials": "float16"}, "layers.1": {"dtype": "float32"}}
    graph = build_graph(load_workload(network(SMALL, layers=layers)))
    assert [op.attrs["partials"] for op in graph.ops if op.kind == "matmul"] == ["float16", "float32"]


def test_layers_of_a_file_with_tensors() -> None:
    source = {
        "name": "plain",
        "tensors": {"w": {"shape": [8, 8]}, "x": {"shape": [8, 8]}},
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
            {"op": "relu", "inputs": ["y"], "output": "z"},
        ],
        "layers": {"w": {"density": 0.5}, "z": {"dtype": "float32"}},
    }
    graph = build_graph(load_workload(source))
    assert graph.tensors["w"].sparsity is not None
    assert graph.tensors["z"].dtype == "float32"
    assert [op.kind for op in graph.ops] == ["matmul", "cast", "relu"]


def test_problems_of_moved_ops_keep_their_places(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(
        "name: plain\ntensors: {x: {shape: [8, 8]}, y: {shape: [4]}}\nops:\n"
        "  - {op: relu, inputs: [x], output: a}\n"
        "  - {op: gelu, inputs: [a], output: b}\n"
        "  - {op: add, inputs: [b, y], output: c}\n"
        "layers: {b: {dtype: float32}}\n"
    )
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(path))
    assert [(each.line, each.path) for each in caught.value.problems] == [(6, "ops.2.inputs.1")]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("mpl", "model.mpl: unknown model 'mpl' (did you mean 'mlp'?)"),
        (3, "model: expected a model, found the number 3"),
        ({"mlp": {}, "other": {}}, "model: expected one model, found mlp and other"),
        ({"mlp": [1]}, "model.mlp: expected a mapping of options, found a list"),
    ],
)
def test_a_wrong_model(model: Any, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_workload(network(model))
    assert [message in str(problem) for problem in caught.value.problems] == [True]


def test_products_with_weights_of_8_bits() -> None:
    layers = {"layers.1.linear": {"dtype": "float8_e4m3fnuz"}}
    graph = build_graph(load_workload(network(SMALL, layers=layers)))
    formats = {name: tensor.dtype for name, tensor in graph.tensors.items()}
    assert formats["layers.1.linear.weight"] == "float8_e4m3fnuz"
    assert formats["layers.1.linear.bias"] == formats["layers.1.linear"] == "float16"
    assert formats["layers.0.linear.weight"] == "float16"


def test_given_values() -> None:
    source = {
        "name": "given",
        "tensors": {
            "x": {"shape": [2, 2], "init": {"values": [1, 0.5, -2, 3]}},
            "places": {"shape": [1], "dtype": "int32", "init": {"values": [1]}},
        },
        "ops": [{"op": "gather", "inputs": ["x", "places"], "output": "y"}],
    }
    graph = build_graph(load_workload(source))
    assert tensor_values(graph.tensors["x"], seed=0).tolist() == [[1.0, 0.5], [-2.0, 3.0]]
    assert tensor_values(graph.tensors["places"], seed=0).tolist() == [1.0]


@pytest.mark.parametrize(
    ("dtype", "values", "message"),
    [
        ("float16", [1, 2, 3], "3 values, but x [2] has 2 elements"),
        ("float16", [1, 1e6], "1e+06 is beyond the largest float16, 65504"),
        ("int32", [1, 0.5], "0.5 is no whole number, but x is int32"),
    ],
)
def test_wrong_values(dtype: str, values: list[float], message: str) -> None:
    source = {
        "name": "given",
        "tensors": {"x": {"shape": [2], "dtype": dtype, "init": {"values": values}}},
        "ops": [{"op": "reshape", "inputs": ["x"], "output": "y", "shape": [2, 1]}],
    }
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(source))
    assert [problem.message for problem in caught.value.problems] == [message]


@pytest.mark.parametrize("name", ["bert-base", "bert-large", "gpt2", "vit-b16", "transformer"])
@pytest.mark.parametrize("layers", [0, -3, 1001])
def test_the_number_of_layers_has_bounds(name, layers):
    with pytest.raises(BadInputError, match=r"layers: must be at (least 1|most 1000), found"):
        load_workload({"name": "m", "model": {name: {"layers": layers}}})
