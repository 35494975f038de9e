"""Casts of 8-bit formats, their scales, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload

E4M3, E5M2 = "float8_e4m3fnuz", "float8_e5m2fnuz"


def graph_of(tensors, *ops, **more):
    return build_graph(load_workload({"name": "t", "tensors": tensors, "ops": list(ops), **more}))


def matrix(rows, cols, **more):
    return {"shape": [rows, cols], **more}


def op(kind, inputs, output, **attrs):
    return {"op": kind, "inputs": inputs.split(), "output": output, **attrs}


def test_activations_are_cast_for_products_and_results_are_float16():
    graph = graph_of(
        {"w": matrix(8, 4, dtype=E4M3), "v": matrix(2, 8, dtype=E4M3), "x": matrix(4, 6)},
        op("matmul", "w x", "h"),
        op("relu", "h", "a"),
        op("matmul", "v a", "y"),
        op("matmul", "v a", "z"),
    )
    assert [(each.kind, each.inputs) for each in graph.ops] == [
        ("cast", ("x",)),
        ("matmul", ("w", f"x#{E4M3}")),
        ("relu", ("h",)),
        ("cast", ("a",)),
        ("matmul", ("v", f"a#{E4M3}")),
        ("matmul", ("v", f"a#{E4M3}")),
    ]
    assert graph.ops[0].attrs == {"to": E4M3, "scale": "auto"}
    assert {graph.tensors[name].dtype for name in "hayz"} == {"float16"}
    assert {graph.ops[i].attrs["partials"] for i in (1, 4)} == {"float16"}


def test_other_ops_take_operands_of_8_bits_as_float16():
    graph = graph_of({"x": matrix(4, 6, dtype=E5M2), "b": matrix(4, 1)}, op("add", "x b", "y"), op("sum", "x", "s"))
    assert [each.kind for each in graph.ops] == ["cast", "add", "sum"]
    assert graph.ops[1].inputs == (*graph.ops[2].inputs, "b")
    moved = graph_of({"x": matrix(4, 6, dtype=E5M2)}, op("transpose", "x", "y", axes=[1, 0]))
    assert [each.kind for each in moved.ops] == ["transpose"]
    assert moved.tensors["y"].dtype == E5M2


def test_both_8_bit_formats_meet_in_a_product():
    graph = graph_of({"w": matrix(8, 4, dtype=E4M3), "x": matrix(4, 6, dtype=E5M2)}, op("matmul", "w x", "y"))
    assert [each.kind for each in graph.ops] == ["matmul"]


def test_attention_of_8_bits_multiplies_in_8_bits():
    heads = {"shape": [2, 8, 4], "dtype": E4M3}
    graph = graph_of({"q": heads, "k": heads, "v": heads}, op("attention", "q k v", "y", causal=True))
    products = [each for each in graph.ops if each.kind == "matmul"]
    assert {graph.tensors[name].dtype for each in products for name in each.inputs} == {E4M3}
    assert {each.attrs["partials"] for each in products} == {"float16"}


def test_layers_of_8_bits_are_their_products():
    document = {
        "tensors": {"x": matrix(4, 8), "ffn.w": matrix(8, 6), "ffn.b": {"shape": [6]}},
        "ops": [op("matmul", "x ffn.w", "ffn.h"), op("add", "ffn.h ffn.b", "ffn.y"), op("tanh", "ffn.y", "y")],
        "layers": {"ffn": {"dtype": E4M3}},
    }
    graph = build_graph(load_workload({"name": "t", **document}))
    formats = {name: tensor.dtype for name, tensor in graph.tensors.items()}
    assert {name for name, dtype in formats.items() if dtype == E4M3} == {"x", "ffn.w"}
    assert (graph.tensors["ffn.w"].scale, graph.tensors["ffn.b"].scale) == ("auto", 1.0)
    assert [each.kind for each in graph.ops] == ["matmul", "add", "tanh"]


@pytest.mark.parametrize(
    ("tensors", "ops"),
    [
        ({}, [op("argmax", "x", "chosen.indices")]),
        ({}, [op("top_k", "x", "ranked", k=2, result="indices"), op("reshape", "ranked", "chosen.indices", shape=[8])]),
        ({"tokens": matrix(2, 3, dtype="int32", init="zeros")}, [op("transpose", "tokens", "chosen.indices")]),
    ],
)
def test_indices_that_ops_make_are_not_cast(tensors, ops):
    """The ops that make the indices and the one that reads them are of a layer in another format than the rest."""
    document = {
        "tensors": {"x": matrix(4, 8), "table": matrix(8, 6), **tensors},
        "ops": [*ops, op("gather", "table chosen.indices", "chosen.rows"), op("tanh", "chosen.rows", "y")],
    }
    for pattern in ("chosen", "chosen.rows", "y"):
        layers = {pattern: {"dtype": "float32"}}
        graph = build_graph(load_workload({"name": "t", **document, "layers": layers}))
        assert graph.tensors["chosen.indices"].dtype == "int32"
        assert graph.tensors["y"].dtype == ("float32" if pattern == "y" else "float16")
        assert all(
            graph.tensors[name].dtype != "int32" for each in graph.ops if each.kind == "cast" for name in each.inputs
        )


def test_a_one_hot_result_keeps_its_format():
    document = {
        "tensors": {"labels": {"shape": [4], "dtype": "int32", "init": "zeros"}, "w": matrix(6, 8)},
        "ops": [op("one_hot", "labels", "chosen", depth=6), op("matmul", "chosen w", "y")],
        "layers": {"y": {"dtype": "float32"}, "chosen": {"dtype": "float32"}},
    }
    graph = build_graph(load_workload({"name": "t", **document}))
    assert graph.tensors["chosen"].dtype == "float16"
    assert {graph.tensors[name].dtype for name in graph.ops[-1].inputs} == {"float32"}


def test_partials_that_the_user_chose_stay():
    graph = graph_of({"w": matrix(8, 4, dtype=E4M3), "x": matrix(4, 6)}, op("matmul", "w x", "y", partials="float32"))
    assert graph.ops[-1].attrs["partials"] == "float32"


def test_scales_of_inputs():
    tensors = {
        "a": matrix(64, 64, dtype=E4M3, init={"normal": {"scale": 1e-3}}, scale="auto"),
        "b": matrix(64, 64, dtype=E4M3, init={"normal": {"scale": 1e-3}}),
        "c": matrix(64, 64, dtype=E4M3, init={"normal": {"scale": 500}}, scale=16),
    }
    graph = graph_of(tensors, op("matmul", "a b", "y"), op("matmul", "c b", "z"))
    scaled, plain, large = (tensor_values(graph.tensors[name], 0) for name in "abc")
    assert len(np.unique(np.abs(scaled))) > 4 * len(np.unique(np.abs(plain)))
    assert np.isfinite(large).all()
    assert np.array_equal(large, np.rint(large / 2**-6) * 2**-6)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"w": matrix(8, 4, dtype="fp8")}, "unknown number format 'fp8' (did you mean 'float8_e4m3fnuz'?)"),
        ({"w": matrix(8, 4, dtype="bf16")}, "unknown number format 'bf16' (did you mean 'bfloat16'?)"),
        ({"w": matrix(8, 4, dtype="E5M2")}, "unknown number format 'E5M2' (did you mean 'float8_e5m2fnuz'?)"),
        ({"w": matrix(8, 4, scale=0.5)}, "tensors.w.scale: float16 has no scale; formats of 8 bits have"),
        (
            {"w": matrix(8, 4, dtype=E4M3, scale=3)},
            "expected auto or a power of two from 2**-32 to 2**31, found the number 3",
        ),
        ({"w": matrix(8, 4, dtype=E4M3, init={"normal": {"scale": 500}})}, "beyond the largest float8_e4m3fnuz, 240"),
        ({"w": matrix(8, 4, dtype=E4M3, sparsity={"density": 0.5})}, "no vertex multiplies sparse tensors of 8 bits"),
    ],
)
def test_what_is_refused(tensors, message):
    with pytest.raises(BadInputError) as caught:
        graph_of({**tensors, "x": matrix(4, 6)}, op("matmul", "w x", "y"))
    assert message in str(caught.value)
