"""From workloads to graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Sparsity


def graph_of(tensors: dict[str, Any], *ops: dict[str, Any], **keys: Any) -> Graph:
    return build_graph(load_workload({"name": "test", "tensors": tensors, "ops": list(ops), **keys}))


def op(kind: str, inputs: str, output: str, **attrs: Any) -> dict[str, Any]:
    return {"op": kind, "inputs": inputs.split(), "output": output, **attrs}


def matrix(*shape: int, **keys: Any) -> dict[str, Any]:
    return {"shape": list(shape), **keys}


def test_a_layer() -> None:
    graph = graph_of(
        {"w": matrix(8, 4), "x": matrix(4, 2), "bias": matrix(8, 1)},
        op("matmul", "w x", "h", partials="float16"),
        op("add", "h bias", "z", name="shift"),
        op("relu", "z", "a"),
        op("cast", "a", "y", to="float32"),
        outputs=["y", "h"],
    )
    assert [each.name for each in graph.ops] == ["h", "shift", "a", "y"]
    assert graph.ops[0].attrs == {"transpose_a": False, "transpose_b": False, "partials": "float16"}
    assert graph.ops[3].attrs == {"to": "float32", "scale": 1.0}
    assert list(graph.tensors) == ["w", "x", "bias", "h", "z", "a", "y"]
    assert {name: tensor.shape for name, tensor in graph.tensors.items() if tensor.init is None} == dict.fromkeys(
        ("h", "z", "a", "y"), (8, 2)
    )
    assert [graph.tensors[name].dtype for name in ("w", "a", "y")] == ["float16", "float16", "float32"]
    assert graph.outputs == ("y", "h")
    assert graph.inputs == ("w", "x", "bias")


def test_outputs_are_by_default_what_no_op_reads() -> None:
    graph = graph_of({"x": matrix(4)}, op("relu", "x", "a"), op("relu", "a", "b"), op("relu", "a", "c"))
    assert graph.outputs == ("b", "c")


def test_a_tensor_that_nothing_reads_is_left_out() -> None:
    graph = graph_of({"x": matrix(4), "spare": matrix(2**20, 2**10)}, op("relu", "x", "y"))
    assert set(graph.tensors) == {"x", "y"}


def test_an_op_that_nothing_reads_stays() -> None:
    graph = graph_of({"x": matrix(4)}, op("relu", "x", "y"), op("relu", "x", "z"), outputs=["y"])
    assert [each.name for each in graph.ops] == ["y", "z"]


def test_an_op_may_read_a_tensor_twice() -> None:
    assert graph_of({"x": matrix(4, 4)}, op("matmul", "x x", "y")).tensors["y"].shape == (4, 4)


def test_inits() -> None:
    graph = graph_of(
        {
            "a": matrix(4),
            "b": matrix(4, init={"normal": {"scale": 0.5}}),
            "c": matrix(4, init="zeros"),
            "d": matrix(4, init={"uniform": {"scale": 2}}),
        },
        op("add", "a b", "ab"),
        op("add", "c d", "cd"),
    )
    inits = [graph.tensors[name].init for name in "abcd"]
    assert inits == [Init("normal"), Init("normal", 0.5), Init("zeros"), Init("uniform", 2.0)]


def test_files_are_relative_to_the_workload(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((4, 4)))
    path = tmp_path / "layer.yaml"
    path.write_text(
        "name: files\ntensors:\n  w: {shape: [4, 4], init: {file: w.npy}}\nops:\n"
        "  - {op: relu, inputs: [w], output: y}\n"
    )
    assert build_graph(load_workload(path)).tensors["w"].init == Init("file", file=str(tmp_path / "w.npy"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"density": "1/16", "block_size": 16}, Sparsity(1 / 16, 16)),
        ({"density": 0.5, "mode": "dynamic", "pattern": "banded"}, Sparsity(0.5, 1, "dynamic", "banded")),
        ({"density": 0.5, "mode": "dynamic", "oversize": 1}, Sparsity(0.5, 1, "dynamic", oversize=1.0)),
        ({"density": 1, "pattern": "block_diagonal"}, Sparsity(1.0, pattern="block_diagonal")),
        ({"density": "1/3", "pattern": "block_diagonal"}, Sparsity(1 / 3, pattern="block_diagonal")),
        ({"pattern": {"n_m": {"n": 2, "m": 4}}}, Sparsity(0.5, pattern="n_m", options={"n": 2, "m": 4})),
        (
            {"density": 0.5, "pattern": {"n_m": {"n": 1, "m": 2}}},
            Sparsity(0.5, pattern="n_m", options={"n": 1, "m": 2}),
        ),
        (
            {"density": 0.5, "pattern": {"shuffled": {"engine_seed": 4}}},
            Sparsity(0.5, pattern="shuffled", options={"engine_seed": 4}),
        ),
    ],
)
def test_sparsity(given: dict[str, Any], expected: Sparsity) -> None:
    graph = graph_of({"w": matrix(64, 64, sparsity=given), "x": matrix(64, 8)}, op("matmul", "w x", "y"))
    assert graph.tensors["w"].sparsity == expected
    assert graph.tensors["y"].sparsity is None


def test_density_of_a_pattern_file(tmp_path: Path) -> None:
    path = tmp_path / "pattern.npz"
    scipy.sparse.save_npz(path, scipy.sparse.eye_array(8, format="csr"))
    sparsity = {"pattern": {"file": str(path)}}
    graph = graph_of({"w": matrix(8, 8, sparsity=sparsity), "x": matrix(8, 2)}, op("matmul", "w x", "y"))
    assert graph.tensors["w"].sparsity == Sparsity(1 / 8, pattern="file", options={"file": str(path)}, declared=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"density": 0.5, "oversize": 0.5}, "oversize: is for dynamic mode"),
        ({"density": 0.5, "mode": "dynamic", "oversize": -0.1}, "oversize"),
        ({"density": 0.5, "mode": "dynamic", "oversize": 1e9}, "oversize"),
        ({"density": 0.5, "mode": "dynamic", "oversize": "much"}, "oversize"),
    ],
)
def test_wrong_oversize(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        graph_of({"w": matrix(64, 64, sparsity=given), "x": matrix(64, 8)}, op("matmul", "w x", "y"))


def test_a_problem_does_not_cause_others() -> None:
    """What follows from a wrong op is not reported: its result has no shape to argue about."""
    with pytest.raises(BadInputError) as caught:
        graph_of(
            {"w": matrix(8, 4), "x": matrix(5, 2)},
            op("matmul", "w x", "h"),
            op("relu", "h", "a"),
            op("matmul", "a w", "y"),
            outputs=["y"],
        )
    assert [problem.path for problem in caught.value.problems] == ["ops.0.inputs.1"]


def test_one_cycle_is_reported_once_and_a_reader_of_it_not_at_all() -> None:
    with pytest.raises(BadInputError) as caught:
        graph_of(
            {"x": matrix(4)},
            op("add", "b c", "a"),
            op("add", "a x", "b"),
            op("add", "a x", "c"),
            op("relu", "c", "y"),
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "<dict>: ops.0.inputs.0: the ops need one another's results in a cycle: a -> b -> a"
    ]


def test_reading_from_a_later_cycle_is_a_wrong_order() -> None:
    with pytest.raises(BadInputError) as caught:
        graph_of({"x": matrix(4)}, op("relu", "b", "y"), op("add", "b x", "a"), op("add", "a x", "b"))
    assert [problem.path for problem in caught.value.problems] == ["ops.0.inputs.0", "ops.1.inputs.0"]
    assert caught.value.problems[0].hint == "move ops.0 after ops.2"


def test_a_long_cycle_is_abbreviated() -> None:
    ops = [op("relu", f"t{i}", f"t{i + 1}") for i in range(50)] + [op("relu", "t50", "t0")]
    with pytest.raises(BadInputError) as caught:
        graph_of({"x": matrix(4)}, *ops)
    (problem,) = caught.value.problems
    assert problem.message.endswith("t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> ... -> t47 -> t48 -> t49 -> t50 -> t0 -> t1")
