import pytest

from ipusim.comparison.base import condition_workload, point_workload
from ipusim.comparison.points import Condition, Point
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph


def _asked(features=None, batch=None, dtype=""):
    return Condition(features, batch, dtype)


def test_what_a_workload_is_like(base_of, document):
    base = base_of(document)
    assert base.weights == ("w",)
    assert base.batch == 16
    assert base.dtype == "float16"
    assert not base.has_own_density


def test_batches_that_differ_are_none(base_of, document):
    document["tensors"] |= {"v": {"shape": [8, 4]}, "z": {"shape": [4, 2]}}
    document["ops"].append({"op": "matmul", "inputs": ["v", "z"], "output": "u"})
    base = base_of(document)
    assert base.batch is None
    graph = build_graph(condition_workload(base, _asked(batch=6)))
    assert (graph.tensors["y"].shape, graph.tensors["u"].shape) == ((64, 6), (8, 6))


def test_the_batch_changes_every_shape(base_of):
    graph = build_graph(condition_workload(base_of("dense/mlp"), _asked(batch=64)))
    assert graph.tensors["pixels"].shape == (784, 64)
    assert graph.tensors["scores"].shape == (10, 64)
    assert graph.tensors["bias1"].shape == (1024, 1)


def test_inputs_with_the_batch_follow_it(base_of, document):
    document["tensors"]["residual"] = {"shape": [64, 16]}
    document["ops"].append({"op": "add", "inputs": ["y", "residual"], "output": "z"})
    graph = build_graph(condition_workload(base_of(document), _asked(batch=8)))
    assert graph.tensors["residual"].shape == (64, 8)


def test_features_make_every_weight_square(base_of):
    graph = build_graph(condition_workload(base_of("dense/mlp"), _asked(features=96, batch=32)))
    assert graph.tensors["w1"].shape == graph.tensors["w2"].shape == (96, 96)
    assert graph.tensors["bias2"].shape == (96, 1)
    assert graph.tensors["pixels"].shape == (96, 32)


def test_the_format_of_everything(base_of, document):
    document["tensors"]["w"]["dtype"] = document["tensors"]["x"]["dtype"] = "float16"
    document["ops"][0]["partials"] = "float16"
    graph = build_graph(condition_workload(base_of(document), _asked(dtype="float32")))
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"float32"}
    assert graph.ops[0].attrs["partials"] == "float32"


def test_nothing_asked_is_the_workload_with_dense_weights(base_of, document):
    document["tensors"]["w"]["sparsity"] = {"density": 0.5}
    base = base_of(document)
    dense = condition_workload(base, _asked())
    assert base.graph.tensors["w"].sparsity is not None
    assert build_graph(dense).tensors["w"].sparsity is None


def test_weights_that_are_not_swept_stay_sparse(base_of, document):
    document["tensors"]["w"]["sparsity"] = {"density": 0.5}
    document["tensors"]["v"] = {"shape": [8, 64]}
    document["ops"].append({"op": "matmul", "inputs": ["v", "y"], "output": "z"})
    dense = condition_workload(base_of(document, ["v"]), _asked())
    assert build_graph(dense).tensors["w"].sparsity.density == 0.5


def test_a_batch_that_is_an_extent_of_a_weight(tmp_path, base_of):
    path = tmp_path / "tied.yaml"
    path.write_text(
        "name: tied\n"
        "tensors:\n"
        "  w: {shape: [8, 8]}\n"
        "  x: {shape: [8, 8]}\n"
        "ops:\n"
        "  - {op: matmul, inputs: [w, x], output: y}\n"
        "  - {op: add, inputs: [y, z], output: s}\n"
        "  - {op: matmul, inputs: [s, v], output: t}\n"
    )
    text = path.read_text().replace("  x: {", "  z: {shape: [8, 8]}\n  v: {shape: [8, 8]}\n  x: {")
    path.write_text(text)
    base = base_of(str(path), ["w", "v"])
    with pytest.raises(BadInputError) as caught:
        condition_workload(base, _asked(batch=4))
    assert "--batch cannot change the batch, which is also an extent of the weight" in str(caught.value)
    assert all(problem.file == str(path) and problem.line for problem in caught.value.problems)


def test_features_and_batch_of_one_axis(base_of, document):
    document["tensors"] |= {"v": {"shape": [16, 8]}}
    document["ops"].append({"op": "matmul", "inputs": ["y", "v"], "output": "z"})
    with pytest.raises(BadInputError, match="extent of the weight v"):
        condition_workload(base_of(document), _asked(features=32, batch=8))


def test_an_array_file_of_another_shape_is_located(tmp_path, base_of):
    import numpy as np

    np.save(tmp_path / "x.npy", np.zeros((32, 16), np.float32))
    path = tmp_path / "file.yaml"
    path.write_text(
        "name: file\n"
        "tensors:\n"
        "  w: {shape: [64, 32]}\n"
        "  x: {shape: [32, 16], init: {file: x.npy}}\n"
        "ops: [{op: matmul, inputs: [w, x], output: y}]\n"
    )
    base = base_of(path)
    assert build_graph(condition_workload(base, _asked(batch=16))).tensors["y"].shape == (64, 16)
    with pytest.raises(BadInputError) as caught:
        condition_workload(base, _asked(batch=4, dtype="float32"))
    assert str(caught.value).startswith(f"{path}:4:37: tensors.x.init.file: with --batch 4, --dtype float32: x.npy has")


def test_a_point_is_sparse_as_asked(base_of):
    base = base_of("dense/mlp")
    dense = condition_workload(base, _asked())
    point = Point(Condition(None, 256, "float16"), "dynamic", 2, 0.125)
    graph = build_graph(point_workload(base, dense, point, own_density=False))
    for name in ("w1", "w2"):
        sparsity = graph.tensors[name].sparsity
        assert (sparsity.mode, sparsity.block_size, sparsity.density) == ("dynamic", 2, 0.125)
        assert sparsity.pattern == "random"
    assert graph.tensors["pixels"].sparsity is None
    assert point_workload(base, dense, Point(point.condition), own_density=False) is dense


def test_a_point_keeps_the_pattern_of_the_workload(base_of, document):
    pattern = {"magnitude": {"imbalance": {"rows": 4}}}
    document["tensors"]["w"]["sparsity"] = {"density": 0.5, "block_size": 4, "pattern": pattern}
    base = base_of(document)
    point = Point(Condition(None, 16, "float16"), "static", 8, 0.25)
    workload = point_workload(base, condition_workload(base, _asked()), point, own_density=False)
    sparsity = build_graph(workload).tensors["w"].sparsity
    assert (sparsity.pattern, sparsity.options, sparsity.density) == ("magnitude", {"imbalance": {"rows": 4}}, 0.25)


def test_a_pattern_that_brings_its_density(base_of, document):
    document["tensors"]["w"]["sparsity"] = {"pattern": {"n_m": {"n": 1, "m": 4}}}
    base = base_of(document)
    assert base.has_own_density
    assert base.own_density() == 0.25
    point = Point(Condition(None, 16, "float16"), "static", 4, 0.25)
    graph = build_graph(point_workload(base, condition_workload(base, _asked()), point, own_density=True))
    assert (graph.tensors["w"].sparsity.density, graph.tensors["w"].sparsity.block_size) == (0.25, 4)


def test_the_density_of_a_file_is_that_of_its_elements(base_of):
    base = base_of("sparse/matrix-market")
    assert base.own_density() == 12468 / 1000**2


def test_nothing_to_make_sparse_is_located(base_of):
    with pytest.raises(BadInputError, match=r"attention-scores.yaml:9:1: ops: no matmul has an operand that could be"):
        base_of("dense/attention-scores")
