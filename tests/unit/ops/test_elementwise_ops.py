"""Operators that work element by element, and the change of format."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.ir.tensor import Tensor
from ipusim.ops.elementwise import broadcast_shape
from ipusim.ops.registry import find_op
from ipusim.ops.spec import Choice, Flag, ShapeError

shapes = st.lists(st.sampled_from((1, 2, 3)), min_size=1, max_size=4).map(tuple)


@given(st.lists(shapes, min_size=1, max_size=3))
def test_broadcasting_is_numpys(operands: list[tuple[int, ...]]) -> None:
    tensors = tuple(Tensor(f"t{i}", shape, "float32") for i, shape in enumerate(operands))
    try:
        expected = np.broadcast_shapes(*operands)
    except ValueError:
        with pytest.raises(ShapeError, match="do not broadcast"):
            broadcast_shape(tensors)
        return
    assert broadcast_shape(tensors) == expected


def test_message_shows_both_shapes_and_blames_the_later_one() -> None:
    with pytest.raises(ShapeError) as caught:
        find_op("add").infer((Tensor("y", (4, 6), "float16"), Tensor("bias", (4,), "float16")), {})
    assert caught.value.message == "shapes do not broadcast: y [4, 6] and bias [4]"
    assert caught.value.operand == 1


def test_add_and_relu_values() -> None:
    y, bias = np.array([[1.0, -2.0], [3.0, -4.0]]), np.array([0.5, 1.0])
    np.testing.assert_array_equal(find_op("add").reference((y, bias), {}), [[1.5, -1.0], [3.5, -3.0]])
    np.testing.assert_array_equal(find_op("relu").reference((y,), {}), [[1.0, 0.0], [3.0, 0.0]])


def test_relu_keeps_nan() -> None:
    assert np.isnan(find_op("relu").reference((np.array([np.nan]),), {}))[0]


def test_elementwise_work_is_one_flop_per_result() -> None:
    add = find_op("add")
    operands = (Tensor("y", (4, 1), "float16"), Tensor("b", (6,), "float16"))
    shape, dtype = add.infer(operands, {})
    assert add.flops(operands, (Tensor("z", shape, dtype),), {}, (4, 6)) == 24


def test_cast_changes_only_the_format() -> None:
    cast = find_op("cast")
    assert cast.infer((Tensor("x", (3, 2), "float16"),), {"to": "float32", "scale": 1.0}) == ((3, 2), "float32")
    values = np.array([1 / 3])
    np.testing.assert_array_equal(cast.reference((values,), {"to": "float16"}), values)


@pytest.mark.parametrize("value", [1, "true", None])
def test_flag_takes_only_truth_values(value: object) -> None:
    with pytest.raises(ValueError, match="expected true or false"):
        Flag("f", "text").read(value)


@pytest.mark.parametrize("value", ["float8", 16, ["float16"]])
def test_choice_takes_only_its_words(value: object) -> None:
    with pytest.raises(ValueError, match="expected float16 or float32, found"):
        Choice("to", "text", ("float16", "float32")).read(value)


def test_float32_statistics_beside_a_float16_tensor_give_its_format() -> None:
    x, statistics = Tensor("x", (4, 6), "float16"), Tensor("s", (4, 1), "float32")
    assert find_op("sub").infer((x, statistics), {}) == ((4, 6), "float16")
    assert find_op("mul").infer((statistics, x), {}) == ((4, 6), "float16")
    for other in (Tensor("y", (4, 6), "float32"), Tensor("b", (6,), "bfloat16")):
        with pytest.raises(ShapeError, match="different number formats"):
            find_op("add").infer((x, other), {})
    with pytest.raises(ShapeError, match="different number formats"):
        find_op("add").infer((Tensor("x", (4, 6), "float32"), Tensor("b", (6,), "float16")), {})
