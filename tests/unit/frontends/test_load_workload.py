"""Reading workload files: defaults, sources, overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipusim.errors import BadInputError
from ipusim.files.packaged import packaged_names
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import Workload, load_workload


def layer(**changes: Any) -> dict[str, Any]:
    return {
        "name": "layer",
        "tensors": {"w": {"shape": [8, 4]}, "x": {"shape": [4, 2]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
    } | changes


def messages(source: Any, *settings: str) -> list[str]:
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(source, settings))
    return [str(problem) for problem in caught.value.problems]


def test_defaults() -> None:
    workload = load_workload(layer())
    assert (workload.chip, workload.dtype, workload.seed) == ("bow", "float16", 0)
    assert workload.outputs == ()
    assert workload.compile.available_memory_proportion == 0.6
    assert workload.tensors["w"].init.kind == "normal"
    assert workload.tensors["w"].sparsity is None


def test_everything_a_file_may_say(tmp_path: Path) -> None:
    path = tmp_path / "layer.yaml"
    path.write_text(
        "name: layer\nchip: gc200\ndtype: float32\nseed: 7\n"
        "tensors:\n"
        "  w: {shape: [32, 64], dtype: float16, init: {uniform: {scale: 0.5}},\n"
        "      sparsity: {density: 1/16, block_size: 4, mode: dynamic, pattern: {random: {imbalance: {rows: 4}}}}}\n"
        "  x: {shape: [64, 2e1], dtype: float16}\n"
        "ops:\n  - {op: matmul, inputs: [w, x], output: y, name: project, partials: float16}\n"
        "outputs: [y]\ncompile: {available_memory_proportion: 0.3}\n"
    )
    workload = load_workload(path)
    assert (workload.chip, workload.dtype, workload.seed, workload.folder) == ("gc200", "float32", 7, tmp_path)
    w = workload.tensors["w"]
    assert (w.shape, w.dtype) == ((32, 64), "float16")
    assert w.init.uniform is not None
    assert w.init.uniform.scale == 0.5
    assert w.sparsity is not None
    assert (w.sparsity.density, w.sparsity.block_size, w.sparsity.mode) == (1 / 16, 4, "dynamic")
    assert (w.sparsity.pattern.kind, w.sparsity.pattern.options()) == ("random", {"imbalance": {"rows": 4.0}})
    assert workload.tensors["x"].shape == (64, 20)
    assert workload.ops[0].name == "project"
    assert workload.compile.available_memory_proportion == 0.3


@pytest.mark.parametrize("spelling", ["uniform", {"uniform": {}}, {"uniform": None}, {"uniform": {"scale": 1}}])
def test_a_kind_is_a_word_or_a_mapping(spelling: object) -> None:
    workload = load_workload(layer(tensors={"w": {"shape": [8, 4], "init": spelling}, "x": {"shape": [4, 2]}}))
    init = workload.tensors["w"].init
    assert init.kind == "uniform"
    assert init.uniform is not None
    assert init.uniform.scale == 1.0


def test_a_loaded_workload_is_returned_as_it_is() -> None:
    workload = load_workload(layer())
    assert load_workload(workload) is workload


def test_a_loaded_workload_can_be_overridden() -> None:
    workload = load_workload(load_workload(layer()), ["seed=5", "tensors.x.shape=[4, 16]", "ops.0.partials=float16"])
    assert workload.seed == 5
    graph = build_graph(workload)
    assert graph.tensors["y"].shape == (8, 16)
    assert graph.ops[0].attrs["partials"] == "float16"


def test_a_wrong_override_is_named() -> None:
    assert messages(layer(), "dtype=fp16") == [
        "--set dtype=fp16: dtype: unknown number format 'fp16' (did you mean 'float16'?)"
    ]
    assert messages(layer(), "tensors.x.shape=[5, 2]") == [
        "<dict>: ops.0.inputs.1: inner dimensions differ: w [8, 4] has 4 columns, x [5, 2] has 5 rows"
    ]


def test_a_dict_has_no_lines() -> None:
    assert messages(layer(dtpye="float16")) == ["<dict>: dtpye: unknown key (did you mean 'dtype'?)"]


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "layer.yaml").write_text("name: layer\n")
    assert "did you mean 'layer.yaml'?" in messages(tmp_path / "layers.yaml")[0]


def test_an_unknown_packaged_name_suggests_one() -> None:
    assert "did you mean 'quickstart'?" in messages("quikstart")[0]


def test_packaged_workloads_build() -> None:
    names = packaged_names("workloads")
    assert {"quickstart", "dense/tiny", "dense/too-large"} <= set(names)
    for name in names:
        graph = build_graph(load_workload(name))
        assert graph.ops
        assert graph.outputs


def test_workloads_do_not_change() -> None:
    workload: Workload = load_workload(layer())
    with pytest.raises(ValueError, match="frozen"):
        workload.name = "other"  # type: ignore[misc]
