"""Convolutions as operators: shapes, messages, work, and the reference against SciPy."""

import numpy as np
import pytest
from scipy.signal import correlate

from ipusim.errors import BadInputError
from ipusim.files.wording import FieldError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.tensor import Tensor
from ipusim.ops.conv1d import OP as CONV1D
from ipusim.ops.conv2d import OP as CONV2D
from ipusim.ops.spec import ShapeError

DEFAULTS = {each.name: each.default for each in CONV2D.attributes}


def _infer(spec, x, w, dtype="float16", **attrs):
    return spec.infer((Tensor("x", x, dtype), Tensor("w", w, dtype)), DEFAULTS | attrs)


@pytest.mark.parametrize(
    ("x", "w", "attrs", "shape"),
    [
        ((1, 3, 224, 224), (64, 3, 7, 7), {"stride": 2, "padding": 3}, (1, 64, 112, 112)),
        ((8, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}, (8, 64, 56, 56)),
        ((2, 6, 9, 8), (4, 3, 3, 2), {"groups": 2, "stride": (2, 1), "dilation": (1, 3)}, (2, 4, 4, 5)),
        ((1, 1, 5, 5), (1, 1, 2, 2), {"padding": (0, 1, 1, 0)}, (1, 1, 5, 5)),
        ((1, 1, 1, 1), (1, 1, 3, 3), {"padding": (1, 1)}, (1, 1, 1, 1)),
    ],
)
def test_shape_of_the_result(x, w, attrs, shape):
    assert _infer(CONV2D, x, w, **attrs) == (shape, "float16")


def test_one_dimension():
    assert _infer(CONV1D, (2, 4, 10), (8, 4, 3), padding=(2, 0), stride=3).shape == (2, 8, 4)


@pytest.mark.parametrize(
    ("x", "w", "attrs", "message", "operand", "attribute"),
    [
        ((3, 9, 9), (4, 3, 3, 3), {}, r"needs \[batch, channels, height, width\], but x .* has 3 dimensions", 0, ""),
        ((1, 4, 9, 9), (4, 3, 3, 3), {}, "w .* takes 3 channels per group, x .* has 4", 1, ""),
        ((1, 6, 9, 9), (4, 3, 3, 3), {}, "has 6 .groups: 2", 1, ""),
        ((1, 6, 9, 9), (4, 2, 3, 3), {"groups": 3}, "4 channels of w .* cannot be cut into 3 groups", None, "groups"),
        ((1, 3, 2, 9), (4, 3, 3, 3), {}, "reaches over 3 elements, the padded input has 2", 0, ""),
        ((1, 3, 9, 9), (4, 3, 3, 3), {"stride": (1, 2, 3)}, "stride has 3 numbers, expected 1 or 2", None, "stride"),
        ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": (1, 2, 3)}, "padding has 3 numbers, expected 1, 2 or 4", None,
         "padding"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(x, w, attrs, message, operand, attribute):
    with pytest.raises(ShapeError, match=message) as caught:
        _infer(CONV2D, x, w, **attrs)
    assert (caught.value.operand, caught.value.attribute) == (operand, attribute)


def test_narrow_partials_are_refused():
    with pytest.raises(ShapeError, match="narrower"):
        _infer(CONV2D, (1, 3, 9, 9), (4, 3, 3, 3), dtype="float32", partials="float16")


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "two", [1, 0], [], 1 << 40])
def test_strides_are_whole_and_positive(value):
    with pytest.raises(FieldError, match="expected"):
        CONV2D.attributes[0].read(value)


def test_all_problems_of_a_file_are_located():
    document = {
        "name": "bad",
        "tensors": {"x": {"shape": [1, 3, 8, 8]}, "w": {"shape": [4, 3, 3, 3]}},
        "ops": [
            {"op": "conv2d", "inputs": ["x", "w"], "output": "y", "stride": [1, 2, 3]},
            {"op": "conv2d", "inputs": ["x", "w"], "output": "z", "strides": 2},
            {"op": "conv2d", "inputs": ["x", "w"], "output": "u", "padding": -1},
        ],
    }
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(document))
    messages = [f"{problem.path}: {problem.message} {problem.hint}" for problem in caught.value.problems]
    assert len(messages) == 3
    assert "ops.0.stride: stride has 3 numbers, expected 1 or 2" in messages[0]
    assert "has no attribute 'strides'" in messages[1]
    assert "stride" in messages[1]
    assert "expected whole numbers from 0" in messages[2]


def test_useful_work_counts_all_multiply_adds():
    x, w = Tensor("x", (2, 6, 9, 9), "float16"), Tensor("w", (4, 3, 3, 3), "float16")
    out = Tensor("y", (2, 4, 7, 7), "float16")
    assert CONV2D.flops((x, w), (out,), DEFAULTS | {"groups": 2}, (0, 0)) == 2 * (2 * 4 * 7 * 7) * (3 * 3 * 3)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spec", [CONV1D, CONV2D])
def test_reference_against_scipy(spec, groups):
    random = np.random.default_rng(0)
    rank = 1 if spec is CONV1D else 2
    x = random.standard_normal((2, 4, 11, 9)[: rank + 2])
    w = random.standard_normal((6, 4 // groups, 3, 2)[: rank + 2])
    attrs = DEFAULTS | {"groups": groups, "padding": (2, 1, 0, 3)[: 2 * rank], "stride": (2, 3)[:rank], "dilation": 2}
    padding = np.reshape(attrs["padding"], (2, rank)).T
    padded = np.pad(x, [(0, 0), (0, 0), *padding])
    spread = np.zeros((*w.shape[:2], *(2 * extent - 1 for extent in w.shape[2:])))
    spread[(..., *(slice(None, None, 2),) * rank)] = w
    found = spec.reference((x, w), attrs)
    for image in range(2):
        for out in range(6):
            first = (out // (6 // groups)) * w.shape[1]
            full = sum(correlate(padded[image, first + i], spread[out, i], "valid") for i in range(w.shape[1]))
            expected = full[tuple(slice(None, None, step) for step in attrs["stride"])]
            np.testing.assert_allclose(found[image, out], expected, atol=1e-12)
