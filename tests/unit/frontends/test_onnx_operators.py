"""Every converter, on graphs of one node, against onnxruntime."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import by_runtime, evaluated, graph_and_values, model_of, workload_of

from ipusim.frontends.models.onnx.importing import CONVERTERS

RANDOM = np.random.default_rng(5)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def whole(*numbers):
    return np.array(numbers, np.int64)


def case(op, *shapes, opset=20, outputs=1, constants=(), **attributes):
    """Return an operator, the shapes of its inputs, the constants behind them (None: left out), and its attributes."""
    return pytest.param(op, shapes, constants, outputs, opset, attributes, id=f"{op}-{opset}-{len(CASES)}")


CASES: list = []
SOFT = ("Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Sin", "Cos", "Elu", "Celu", "Selu", "Mish", "Softsign", "Gelu")
HARD = ("Relu", "Abs", "Neg", "HardSwish", "Floor", "Ceil", "Round", "Sign", "LeakyRelu", "HardSigmoid", "Reciprocal")
PLAIN = (*SOFT, *HARD, "Identity", "Dropout")
CASES += [case(name, (3, 5)) for name in PLAIN]
CASES += [
    case("Gelu", (3, 5), approximate="tanh"),
    case("LeakyRelu", (3, 5), alpha=2.0),
    case("Elu", (4, 3), alpha=0.5),
    case("HardSigmoid", (3, 5), alpha=0.3, beta=0.4),
    case("Swish", (3, 5), opset=24, alpha=2.0),
    case("Swish", (3, 5), opset=24),
    case("Celu", (3, 5), alpha=2.0),
    case("PRelu", (3, 5), constants=[normal(5)]),
    case("Add", (3, 5), (5,)),
    case("Sub", (3, 1), (1, 5)),
    case("Mul", (2, 3, 5), (3, 1)),
    case("Div", (3, 5), (3, 5)),
    case("Add", (3, 5), constants=[np.float32(2)]),
    case("Sub", (3, 5), constants=[np.float32(2)]),
    case("Mul", (3, 5), constants=[np.float32(2)]),
    case("Div", (3, 5), constants=[np.float32(3)]),
    *(case("Pow", (3, 5), constants=[np.float32(exponent)]) for exponent in (1, 2, 3, -1)),
    case("Min", (3, 5), (5,), (3, 1)),
    case("Max", (3, 5), (5,)),
    case("Sum", (3, 5), (5,), (3, 1)),
    case("Mean", (3, 5), (5,), (3, 1)),
    case("Clip", (3, 5), constants=[np.float32(-0.5), np.float32(0.5)]),
    case("Clip", (3, 5), constants=[np.float32(0)]),
    case("Clip", (3, 5), constants=[None, np.float32(0.2)]),
    case("Clip", (3, 5), constants=[np.float32(-np.inf), np.float32(0.5)]),
    case("Clip", (3, 5), opset=7, min=-0.3, max=0.4),
    *(
        case("MatMul", *shapes)
        for shapes in (
            ((3, 4), (4, 5)),
            ((2, 3, 4), (4, 5)),
            ((2, 3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (1, 3, 4, 5)),
            ((4,), (4, 5)),
            ((3, 4), (4,)),
            ((4,), (4,)),
            ((2, 3, 4), (4,)),
            ((4, 5), (2, 5, 3)),
        )
    ),
    case("ArgMax", (3, 4, 5), axis=1),
    case("ArgMin", (3, 4), keepdims=0),
    case("TopK", (3, 9), constants=[whole(4)], outputs=2),
    case("TopK", (9, 3), constants=[whole(2)], outputs=2, axis=0, largest=0),
    case("Gemm", (3, 4), (4, 5), (5,)),
    case("Gemm", (4, 3), (5, 4), transA=1, transB=1, alpha=0.5),
    case("Gemm", (3, 4), (4, 5), (3, 1), beta=2.0),
    case("Attention", (2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4), opset=23),
    case("Attention", (2, 4, 5, 8), (2, 2, 5, 8), (2, 2, 5, 8), opset=23, is_causal=1, scale=0.5),
    case("Attention", (2, 5, 32), (2, 7, 16), (2, 7, 16), opset=23, q_num_heads=4, kv_num_heads=2),
    case("Conv", (2, 4, 9), (6, 2, 3), group=2, strides=[2], pads=[1, 0]),
    case("Conv", (2, 4, 9, 8), (6, 4, 3, 2), (6,), dilations=[2, 1], pads=[1, 2, 0, 1]),
    case("Conv", (1, 3, 9, 8), (6, 3, 3, 2), auto_pad="SAME_UPPER", strides=[2, 3]),
    case("Conv", (1, 3, 9, 8), (6, 3, 4, 2), auto_pad="SAME_LOWER"),
    case("Conv", (1, 3, 9, 8), (3, 3, 4, 2), auto_pad="VALID"),
    case("MaxPool", (2, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("MaxPool", (2, 3, 9, 8), kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
    case("AveragePool", (2, 3, 9, 8), kernel_shape=[3, 2], pads=[1, 1, 1, 0]),
    case("AveragePool", (2, 3, 9, 8), kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1),
    case("GlobalAveragePool", (2, 3, 5, 4)),
    case("GlobalMaxPool", (2, 3, 5, 4)),
    *(
        case(f"Reduce{name}", (3, 4, 5), constants=[whole(1, -1)], keepdims=0)
        for name in ["Sum", "Mean", "Max", "Min", "SumSquare", "L1", "L2", "LogSumExp"]
    ),
    case("ReduceMean", (3, 4, 5), opset=13, axes=[1]),
    case("ReduceSum", (3, 4), keepdims=0),
    case("ReduceSum", (3, 4), noop_with_empty_axes=1),
    case("Softmax", (3, 4, 5), axis=1),
    case("Softmax", (3, 4, 5), opset=11),
    case("LogSoftmax", (3, 4, 5)),
    case("LogSoftmax", (3, 4, 5), opset=9, axis=2),
    case("LayerNormalization", (3, 4, 5), (5,), (5,)),
    case("LayerNormalization", (3, 4, 5), (4, 5), axis=1, epsilon=0.1),
    case("RMSNormalization", (3, 4, 5), (5,), opset=23),
    case("InstanceNormalization", (2, 3, 5), (3,), (3,)),
    case("GroupNormalization", (2, 6, 5, 3), (6,), (6,), opset=21, num_groups=3),
    case("GroupNormalization", (2, 6, 5, 3), (3,), (3,), num_groups=3),
    case("BatchNormalization", (2, 3, 5), (3,), (3,), (3,), constants=[np.abs(normal(3)) + 0.5], epsilon=0.01),
    case("LpNormalization", (3, 4), axis=1),
    case("LpNormalization", (3, 4), axis=0, p=1),
    case("Reshape", (2, 6), constants=[whole(0, 3, -1)]),
    case("Flatten", (2, 3, 4), axis=2),
    case("Squeeze", (2, 1, 3), constants=[whole(1)]),
    case("Squeeze", (2, 1, 3), opset=11, axes=[1]),
    case("Unsqueeze", (2, 3), constants=[whole(0, -1)]),
    case("Transpose", (2, 3, 4)),
    case("Transpose", (2, 3, 4), perm=[1, 0, 2]),
    case("Slice", (6, 7), constants=[whole(1, -1), whole(5, -9), whole(0, 1), whole(2, -2)]),
    case("Slice", (6, 7), constants=[whole(1), whole(1000)]),
    case("Slice", (6, 7), opset=9, starts=[1], ends=[-1], axes=[1]),
    case("Split", (7, 4), constants=[whole(3, 4)], outputs=2),
    case("Split", (6, 4), outputs=2, num_outputs=2),
    case("Concat", (2, 3), (4, 3), (1, 3), axis=0),
    case("Pad", (2, 3), constants=[whole(1, 0, 2, 1), np.float32(3)]),
    case("Pad", (4, 5), constants=[whole(-1, 2, 0, -1)]),
    case("Pad", (2, 3), constants=[whole(1, 2), None, whole(1)]),
    case("Gather", (4, 5), constants=[whole(2)], axis=1),
    case("Gather", (4, 5), constants=[whole(1, 2)]),
    case("Gather", (4, 5), constants=[whole(3, -4, 1)]),
    case("Expand", (3, 1), constants=[whole(2, 1, 4)]),
    case("Tile", (2, 3), constants=[whole(2, 3)]),
    case("DepthToSpace", (2, 8, 3, 2), blocksize=2),
    case("DepthToSpace", (2, 8, 3, 2), blocksize=2, mode="CRD"),
    case("SpaceToDepth", (2, 2, 4, 6), blocksize=2),
    case("LSTM", (3, 2, 4), constants=[normal(1, 20, 4), normal(1, 20, 5), normal(1, 40)], hidden_size=5, outputs=3),
    case(
        "LSTM",
        (3, 2, 4),
        constants=[normal(1, 20, 4), normal(1, 20, 5), None, None, normal(1, 2, 5), normal(1, 2, 5)],
        hidden_size=5,
        outputs=3,
    ),
    case("GRU", (3, 2, 4), constants=[normal(1, 15, 4), normal(1, 15, 5), normal(1, 30)], hidden_size=5, outputs=2),
    case(
        "GRU",
        (3, 2, 4),
        constants=[normal(1, 15, 4), normal(1, 15, 5), normal(1, 30)],
        hidden_size=5,
        linear_before_reset=1,
        outputs=2,
    ),
    case("RNN", (3, 2, 4), constants=[normal(1, 5, 4), normal(1, 5, 5), normal(1, 10)], hidden_size=5, outputs=2),
]


@pytest.mark.parametrize(("op", "shapes", "constants", "outputs", "opset", "attributes"), CASES)
def test_a_node_computes_what_onnxruntime_does(tmp_path, op, shapes, constants, outputs, opset, attributes):
    inputs = {f"x{number}": list(shape) for number, shape in enumerate(shapes)}
    arrays = {f"c{number}": array for number, array in enumerate(constants) if array is not None}
    given = [*inputs, *(f"c{number}" if array is not None else "" for number, array in enumerate(constants))]
    results = [f"y{number}" for number in range(outputs)]
    model = model_of([helper.make_node(op, given, results, **attributes)], inputs, results, arrays, opset)
    compare(model, tmp_path)


def compare(model, folder):
    path = folder / "m.onnx"
    onnx.save(model, path)
    graph, values = graph_and_values(workload_of(path))
    found = evaluated(graph, values)
    expected = by_runtime(path, values)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == (theirs.shape or (1,))
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparisons_and_what_is_made_of_them(tmp_path, op):
    nodes = [
        helper.make_node(op, ["a", "b"], ["first"]),
        helper.make_node("Less", ["a", "half"], ["second"]),
        helper.make_node("Not", ["second"], ["third"]),
        helper.make_node("And", ["first", "third"], ["both"]),
        helper.make_node("Or", ["first", "second"], ["either"]),
        helper.make_node("Xor", ["first", "third"], ["one"]),
        helper.make_node("Cast", ["both"], ["y0"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Where", ["either", "a", "half"], ["y1"]),
        helper.make_node("Where", ["one", "a", "b"], ["y2"]),
    ]
    compare(model_of(nodes, {"a": [4, 5], "b": [5]}, ["y0", "y1", "y2"], {"half": np.float32(0.5)}), tmp_path)


def test_shapes_that_nodes_compute_are_constants(tmp_path):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Concat", ["rows", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    compare(model_of(nodes, {"x": [6, 4]}, ["y"], {"zero": whole(0), "rest": whole(2, -1)}), tmp_path)


def test_outputs_may_be_inputs_and_constants(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Transpose", ["c"], ["z"])]
    compare(model_of(nodes, {"x": [6, 4]}, ["y", "z"], {"c": normal(2, 3)}), tmp_path)


def test_every_converter_has_a_case():
    covered = {case.values[0] for case in CASES} | {
        "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or", "Xor", "Cast", "Where"
    }  # fmt: skip
    rest = {"Log", "Sqrt", "ReduceLogSum", "CastLike"}  # of numbers above zero; of a second type
    assert set(CONVERTERS) == covered | rest


@pytest.mark.parametrize("op", ["Log", "Sqrt", "ReduceLogSum"])
def test_functions_of_numbers_above_zero(tmp_path, op):
    nodes = [helper.make_node("Exp", ["x"], ["e"]), helper.make_node(op, ["e"], ["y"])]
    compare(model_of(nodes, {"x": [3, 4]}, ["y"]), tmp_path)


def test_indices_are_also_numbers(tmp_path):
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Equal", ["ids", "two"], ["hits"]),
        helper.make_node("Cast", ["hits"], ["numbers"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["y"]),
    ]
    constants = {"table": normal(4, 3), "two": np.int64(2), "last": whole(-1)}
    model = model_of(nodes, {"ids": [20]}, ["y"], constants)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    compare(model, tmp_path)
