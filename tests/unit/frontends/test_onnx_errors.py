"""What is wrong with ONNX files is told at once, by node, and nothing in them can do harm."""

import subprocess
import sys
from contextlib import suppress

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import EXPORTED, graph_and_values, model_of, workload_of

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload


def saved(folder, model):
    path = folder / "m.onnx"
    onnx.save(model, path)
    return path


def problems_of(path, **sizes):
    with pytest.raises(BadInputError) as caught:
        graph_and_values(workload_of(path, **sizes))
    return [str(problem) for problem in caught.value.problems]


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def test_all_unsupported_nodes_are_listed_at_once_by_name(tmp_path):
    nodes = [
        node("NonMaxSuppression", ["a", "b"], ["c"], "boxes"),
        node("Relu", ["x"], ["r"], "fine"),
        node("RoiAlign", ["r", "c", "c"], ["d"], "align"),
        node("Custom", ["d"], ["e"], "own", domain="com.example"),
        node("Add", ["e", "r"], ["y"], "sum"),
    ]
    found = problems_of(saved(tmp_path, model_of(nodes, {"x": [2, 2], "a": [1, 3, 4], "b": [1, 1, 3]}, ["y"])))
    assert found == [
        "<dict>: model.onnx.file: node 'boxes' (NonMaxSuppression): is not supported",
        "<dict>: model.onnx.file: node 'align' (RoiAlign): is not supported",
        "<dict>: model.onnx.file: node 'own' (com.example.Custom): is not supported",
    ]


@pytest.mark.parametrize(
    ("operands", "keys", "attributes", "message"),
    [
        (["q", "k", "k", "m"], 5, {}, "has a mask, which attention does not read here"),
        (["q", "k", "k"], 7, {"is_causal": 1}, "is causal, with more keys than queries or fewer"),
        (["q", "k", "k"], 5, {"softcap": 30.0}, "has a softcap, which attention has not here"),
        (["q", "k", "k"], 5, {"scale": 0.0}, "its scale is 0"),
    ],
)
def test_attention_that_differs_is_refused(tmp_path, operands, keys, attributes, message):
    inputs = {"q": [2, 3, 5, 8], "k": [2, 3, keys, 8], "m": [5, keys]}
    model = model_of([node("Attention", operands, ["y"], "a", **attributes)], inputs, ["y"], {}, 23)
    assert problems_of(saved(tmp_path, model)) == [f"<dict>: model.onnx.file: node 'a' (Attention): {message}"]


def test_a_node_without_a_name_is_called_like_its_result(tmp_path):
    model = model_of([node("Det", ["x"], ["y"])], {"x": [2, 2]}, ["y"])
    assert problems_of(saved(tmp_path, model)) == ["<dict>: model.onnx.file: node 'y' (Det): is not supported"]


def test_nodes_that_nothing_needs_do_not_matter(tmp_path):
    nodes = [node("Det", ["x"], ["d"]), node("Relu", ["x"], ["y"])]
    load_workload(workload_of(saved(tmp_path, model_of(nodes, {"x": [2, 2]}, ["y"]))))


def test_open_and_unknown_dimensions(tmp_path):
    path = EXPORTED / "encoder-dynamo.onnx"
    hints = [f"dims: {{{name}: 1}}, or --set model.onnx.dims.{name}=1" for name in ("batch", "sequence")]
    assert [text.split("say ")[1] for text in problems_of(path)] == hints
    (found,) = problems_of(path, batch=1, sequence=2, sequenze=3)
    assert "no input has an open dimension 'sequenze' (did you mean 'sequence'?)" in found
    unnamed = saved(tmp_path, model_of([node("Relu", ["x"], ["y"])], {"x": [None, 3]}, ["y"]))
    assert "dimension 'x/0' of input 'x' is open" in problems_of(unnamed)[0]
    graph = build_graph(load_workload({"name": "m", "model": {"onnx": {"file": str(unnamed), "dims": {"x/0": 5}}}}))
    assert graph.tensors["x"].shape == (5, 3)


@pytest.mark.parametrize("length", [0, 1, 10, 100, 4000, 8000])
def test_a_file_that_is_cut_off(tmp_path, length):
    path = tmp_path / "m.onnx"
    path.write_bytes((EXPORTED / "mlp-ts.onnx").read_bytes()[:length])
    assert "is not an ONNX model" in problems_of(path)[0]


def test_changed_bytes_are_told_or_harmless(tmp_path):
    """No exception but the one for bad input, whatever the bytes are."""
    content = (EXPORTED / "cnn-ts.onnx").read_bytes()
    random = np.random.default_rng(3)
    path = tmp_path / "m.onnx"
    for _ in range(60):
        changed = bytearray(content)
        for position in random.integers(0, len(content), 30):
            changed[position] = random.integers(0, 256)
        path.write_bytes(changed)
        with suppress(BadInputError):
            build_graph(load_workload(workload_of(path, batch=1)))


def test_nodes_in_a_cycle_or_without_operands(tmp_path):
    nodes = [node("Add", ["x", "b"], ["a"], "first"), node("Relu", ["a"], ["b"], "second")]
    (found,) = problems_of(saved(tmp_path, model_of(nodes, {"x": [2]}, ["b"])))
    assert "node 'first' (Add): reads 'b', which nothing before it writes" in found


def test_a_value_is_written_once(tmp_path):
    nodes = [node("Relu", ["x"], ["y"], "one"), node("Neg", ["x"], ["y"], "two")]
    assert "node 'two' (Neg): writes 'y', which is there already" in problems_of(
        saved(tmp_path, model_of(nodes, {"x": [2]}, ["y"]))
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "inputs", "message"),
    [
        (node("Conv", ["x", "w"], ["y"], "n", strides=[0, 1]), {"x": [1, 2, 5, 5], "w": [2, 2, 3, 3]}, "strides"),
        (node("Conv", ["x", "w"], ["y"], "n"), {"x": [1, 2, 5, 5, 5], "w": [2, 2, 3, 3, 3]}, "3 spatial dimensions"),
        (node("Conv", ["x", "w"], ["y"], "n"), {"x": [1, 3, 5, 5], "w": [2, 2, 3, 3]}, "channels"),
        (node("Transpose", ["x"], ["y"], "n", perm=[0, 5]), {"x": [2, 3]}, ""),
        (node("Softmax", ["x"], ["y"], "n", axis=7), {"x": [2, 3]}, ""),
        (node("Softmax", ["x"], ["y"], "n", axis=1.5), {"x": [2, 3]}, ""),
        (node("MatMul", ["x", "z"], ["y"], "n"), {"x": [2, 3], "z": [2, 3]}, ""),
        (node("Reshape", ["x", "s"], ["y"], "n"), {"x": [2, 3], "s": [2]}, ""),
        (node("Dropout", ["x"], ["y", "mask"], "n"), {"x": [2, 3]}, "mask"),
        (node("LSTM", ["x", "w", "r"], ["y"], "n", hidden_size=2, clip=1.0),
         {"x": [3, 1, 2], "w": [1, 8, 2], "r": [1, 8, 2]}, "'clip'"),
        (node("LSTM", ["x", "w", "r"], ["y"], "n", hidden_size=2),
         {"x": [10**9, 1, 2], "w": [1, 8, 2], "r": [1, 8, 2]}, "1,000,000,000 steps"),
        (node("MaxPool", ["x"], ["y"], "n", kernel_shape=[3], dilations=[2]), {"x": [1, 1, 9]}, "dilation"),
        (node("Pad", ["x"], ["y"], "n", mode="reflect"), {"x": [3, 4]}, ""),
        (node("Pow", ["x", "z"], ["y"], "n"), {"x": [3], "z": [3]}, "exponent"),
        (node("MaxPool", ["x"], ["y"], "n", kernel_shape=[3, 3, 3]), {"x": [1, 1, 9, 9, 9]}, "3 spatial dimensions"),
        (node("MaxPool", ["x"], ["y", "i"], "n", kernel_shape=[3]), {"x": [1, 1, 9]}, "the places of its maxima"),
        (node("Conv", ["x", "w"], ["y"], "n", auto_pad="ODD"), {"x": [1, 2, 5, 5], "w": [2, 2, 3, 3]}, "'ODD'"),
        (node("AveragePool", ["x"], ["y"], "n", kernel_shape=[3], strides=[2], ceil_mode=1, count_include_pad=1),
         {"x": [1, 1, 8]}, "rounding up (ceil_mode)"),
        (node("BatchNormalization", ["x", "s", "s", "s", "s"], ["y", "m", "v"], "n", training_mode=1),
         {"x": [2, 3, 4], "s": [3]}, "is in training mode"),
        (node("GroupNormalization", ["x", "s", "s"], ["y"], "n", num_groups=2), {"x": [2, 3, 4], "s": [2]}, "2 groups"),
        (node("LayerNormalization", ["x", "s"], ["y", "m"], "n"), {"x": [2, 3], "s": [3]}, "its mean and deviation"),
        (node("LayerNormalization", ["x", "s"], ["y"], "n"), {"x": [2, 3], "s": [1]}, "one element for each of 3"),
        (node("ArgMax", ["x"], ["y"], "n", select_last_index=1), {"x": [2, 3]}, "the last of equal elements"),
        (node("LSTM", ["x", "w", "r"], ["y"], "n", hidden_size=2, activations=["Elu", "Tanh", "Tanh"]),
         {"x": [3, 1, 2], "w": [1, 8, 2], "r": [1, 8, 2]}, "activations ['Elu', 'Tanh', 'Tanh']"),
        (node("LSTM", ["x", "w", "r"], ["y"], "n", hidden_size=2),
         {"x": [3, 1, 2], "w": [1, 8, 2], "r": [1, 8, 4]}, "differ"),
        (node("LSTM", ["x", "w", "r", "", "", "", "", "p"], ["y"], "n", hidden_size=2),
         {"x": [3, 1, 2], "w": [1, 8, 2], "r": [1, 8, 2], "p": [1, 6]}, "peepholes"),
        (node("NonZero", ["x"], ["y"], "n"), {"x": [2, 3]}, ""),
    ],
)  # fmt: skip
def test_a_node_that_cannot_be_imported_says_why(tmp_path, made, inputs, message):
    (found,) = problems_of(saved(tmp_path, model_of([made], inputs, ["y"])))
    assert found.startswith(f"<dict>: model.onnx.file: node 'n' ({made.op_type}): ")
    assert message in found


def test_results_and_outputs_that_nothing_gives(tmp_path):
    without = model_of([node("Relu", ["x"], ["y"])], {"x": [2]}, [])
    assert problems_of(saved(tmp_path, without)) == ["<dict>: model.onnx.file: the graph has no outputs"]
    unwritten = model_of([node("Relu", ["x"], ["y"])], {"x": [2]}, ["y", "z"])
    assert problems_of(saved(tmp_path, unwritten)) == ["<dict>: model.onnx.file: output 'z' is written by no node"]


def test_inputs_without_a_rank_or_without_elements(tmp_path):
    model = model_of([node("Relu", ["x"], ["y"])], {"x": [2, 0]}, ["y"])
    assert "input 'x' has the extent 0" in problems_of(saved(tmp_path, model))[0]
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert "input 'x' is no tensor of a known rank" in problems_of(saved(tmp_path, model))[0]


def test_constants_of_every_kind_and_sparse_ones(tmp_path):
    nodes = [node("Constant", [], ["c"], value_floats=[1.0, 2.0]), node("Constant", [], ["d"], value_float=3.0)]
    nodes += [node("Mul", ["c", "d"], ["e"]), node("Add", ["x", "e"], ["y"])]
    graph, values = graph_and_values(workload_of(saved(tmp_path, model_of(nodes, {"x": [2]}, ["y"]))))
    (constant,) = [values[name] for name in graph.ops[-1].inputs if name != "x"]
    np.testing.assert_array_equal(constant, [3, 6])
    text = [node("Constant", [], ["c"], "c", value_string="a"), node("Add", ["x", "c"], ["y"])]
    assert "holds no tensor of numbers" in problems_of(saved(tmp_path, model_of(text, {"x": [2]}, ["y"])))[0]
    sparse = model_of([node("Add", ["x", "s"], ["y"])], {"x": [2]}, ["y"])
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "at")
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2]))
    assert "initialiser 's' is sparse" in problems_of(saved(tmp_path, sparse))[0]


def test_functions_of_a_model_are_read_as_their_nodes(tmp_path):
    model = model_of([node("Twice", ["x"], ["y"], domain="own")], {"x": [2]}, ["y"])
    opsets = [helper.make_opsetid("", 20)]
    body = [node("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    graph, _ = graph_and_values(workload_of(saved(tmp_path, model)))
    assert [op.kind for op in graph.ops] == ["add"]


def test_enormous_tensors_take_no_memory(tmp_path):
    constant = np.array([10**6, 10**6], np.int64)
    nodes = [node("ConstantOfShape", ["s"], ["c"], "huge"), node("Add", ["x", "c"], ["y"], "sum")]
    (found,) = problems_of(saved(tmp_path, model_of(nodes, {"x": [1]}, ["y"], {"s": constant})))
    assert "node 'huge' (ConstantOfShape): its constant result [1000000, 1000000] is too large" in found
    large = model_of([node("Relu", ["x"], ["y"], "n")], {"x": [10**6, 10**6]}, ["y"])
    assert any("TiB" in text for text in problems_of(saved(tmp_path, large)))


@pytest.mark.parametrize("given", [{"value": 2.5}, {"value_floats": ["a"]}, {"value_int": np.eye(2)}])
def test_a_constant_that_is_no_tensor_of_numbers(tmp_path, given):
    ((key, value),) = given.items()
    value = numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
    nodes = [node("Constant", [], ["c"], "odd", **{key: value}), node("Add", ["x", "c"], ["y"], "sum")]
    (found,) = problems_of(saved(tmp_path, model_of(nodes, {"x": [1]}, ["y"])))
    assert found == "<dict>: model.onnx.file: node 'odd' (Constant): holds no tensor of numbers"


def external(folder, **entries):
    """Return a model whose weights are said to be in another file."""
    model = model_of([node("MatMul", ["x", "w"], ["y"], "n")], {"x": [2, 2]}, ["y"], {"w": np.eye(2, dtype=np.float32)})
    (weights,) = model.graph.initializer
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weights.external_data.add(key=key, value=value)
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_in_a_file_beside_the_model(tmp_path):
    values = np.arange(4, dtype=np.float32).reshape(2, 2)
    (tmp_path / "weights.bin").write_bytes(b"\0" * 8 + values.tobytes())
    path = external(tmp_path, location="weights.bin", offset="8", length="16")
    graph = build_graph(load_workload(workload_of(path)))
    np.testing.assert_array_equal(tensor_values(graph.tensors["w"], 0), values)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../secret.bin"}, "outside of the model's folder"),
        ({"location": "/etc/passwd"}, "outside of the model's folder"),
        ({"location": "link.bin"}, "outside of the model's folder"),
        ({"location": "none.bin"}, "no such file"),
        ({"location": "."}, "no such file"),
        ({"location": ""}, "names no file"),
        ({"location": "short.bin"}, "needs 16 bytes, short.bin has 5"),
        ({"location": "short.bin", "offset": "-3"}, "the offset '-3'"),
        ({"location": "short.bin", "offset": "1000"}, "has 0 for it"),
    ],
)
def test_weights_that_lie_nowhere_or_elsewhere(tmp_path, entries, message):
    (tmp_path / "secret.bin").write_bytes(b"\0" * 64)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "short.bin").write_bytes(b"short")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    assert message in problems_of(external(folder, **entries))[0]


def test_weights_that_the_shape_does_not_fit(tmp_path):
    model = model_of([node("MatMul", ["x", "w"], ["y"], "n")], {"x": [2, 2]}, ["y"], {"w": np.eye(2, dtype=np.float32)})
    model.graph.initializer[0].raw_data = b"123"
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert "'w' cannot be read" in problems_of(path)[0]


def test_weights_that_are_no_numbers_and_types_that_are_none(tmp_path):
    bad = model_of(
        [node("MatMul", ["x", "w"], ["y"], "n")], {"x": [2, 2]}, ["y"], {"w": np.full((2, 2), np.nan, np.float32)}
    )
    assert "not a number" in problems_of(saved(tmp_path, bad))[0]
    text = model_of([node("Identity", ["x"], ["y"], "n")], {}, ["y"])
    text.graph.input.append(helper.make_tensor_value_info("x", TensorProto.STRING, [2]))
    assert "input 'x' holds elements of type string" in problems_of(saved(tmp_path, text))[0]


def test_masks_of_infinity_are_finite_in_every_format(tmp_path):
    mask = np.array([[0, -np.inf], [np.finfo(np.float32).min, -1e9]], np.float32)
    path = saved(tmp_path, model_of([node("Add", ["x", "m"], ["y"])], {"x": [2, 2]}, ["y"], {"m": mask}))
    for dtype, last in (("float32", -1e9), ("float16", -1e4)):
        graph = build_graph(load_workload(workload_of(path, dtype)))
        np.testing.assert_array_equal(tensor_values(graph.tensors["m"], 0), [[0, -1e4], [-1e4, last]])


def test_old_and_new_versions_are_told(tmp_path):
    model = model_of([node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"], opset=6)
    assert "uses version 6 of the operators" in problems_of(saved(tmp_path, model))[0]


def test_a_missing_package_is_told_with_the_remedy(tmp_path):
    path = saved(tmp_path, model_of([node("Relu", ["x"], ["y"])], {"x": [2]}, ["y"]))
    code = "import sys; sys.modules['onnx'] = None; from ipusim.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "run", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'ipusim[onnx]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_whole_model_runs_in_the_format_of_its_file():
    half = load_workload(EXPORTED / "mlp-ts-half.onnx", ["model.onnx.dims.batch=3"])
    assert (half.name, half.dtype) == ("mlp-ts-half", "float16")
    full = load_workload(EXPORTED / "mlp-ts.onnx", ["model.onnx.dims.batch=3", "seed=4"])
    assert (full.dtype, full.seed, full.tensors["x"].shape) == ("float32", 4, (3, 20))


def test_a_tensor_of_a_workload_may_have_the_values_of_a_model(tmp_path):
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    saved(
        tmp_path,
        model_of([node("MatMul", ["x", "layer.weight"], ["y"])], {"x": [4, 2]}, ["y"], {"layer.weight": weights}),
    )
    file = tmp_path / "w.yaml"
    file.write_text(
        "name: w\ndtype: float32\ntensors:\n  layer.weight: {shape: [2, 3], init: {file: m.onnx}}\n"
        "  a: {shape: [2, 3], init: {onnx: {file: m.onnx, tensor: layer.weight}}}\n"
        "ops: [{op: add, inputs: [layer.weight, a], output: y}]\n"
    )
    graph = build_graph(load_workload(file))
    for name in ("layer.weight", "a"):
        np.testing.assert_array_equal(tensor_values(graph.tensors[name], 0), weights)
    assert numpy_helper.to_array(onnx.load(tmp_path / "m.onnx").graph.initializer[0]).shape == (2, 3)


def test_names_that_are_no_text(tmp_path):
    path = saved(tmp_path, model_of([node("Relu", ["name"], ["y"])], {"name": [2, 2]}, ["y"]))
    path.write_bytes(path.read_bytes().replace(b"name", b"n\xffme"))
    assert problems_of(path) == ["<dict>: model.onnx.file: is not an ONNX model: a name in it is no text in UTF-8"]
