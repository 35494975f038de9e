"""The matrix product: shapes against numpy, messages, work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.ir.tensor import Sparsity, Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import ShapeError

MATMUL = find_op("matmul")
PLAIN = {"transpose_a": False, "transpose_b": False, "partials": "float32"}
extents = st.integers(1, 6)


def infer(a: tuple[int, ...], b: tuple[int, ...], **attrs: object) -> tuple[int, ...]:
    return MATMUL.infer((Tensor("w", a, "float16"), Tensor("x", b, "float16")), PLAIN | attrs).shape


def flops(a: Tensor, b: Tensor, nonzeros: tuple[int, int], **attrs: object) -> int:
    shape, dtype = MATMUL.infer((a, b), PLAIN | attrs)
    return MATMUL.flops((a, b), (Tensor("y", shape, dtype),), PLAIN | attrs, nonzeros)


@given(
    st.lists(extents, max_size=2), st.sampled_from(("both", "a", "b")), extents, extents, extents, st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_shape_and_values_equal_numpy(
    batch: list[int], who: str, m: int, k: int, n: int, turn_a: bool, turn_b: bool
) -> None:
    a = np.arange(np.prod([*(batch if who != "b" else []), m, k]), dtype=np.float64)
    b = np.arange(np.prod([*(batch if who != "a" else []), k, n]), dtype=np.float64)
    a = a.reshape(*(batch if who != "b" else []), m, k)
    b = b.reshape(*(batch if who != "a" else []), k, n)
    stored_a = a.swapaxes(-1, -2) if turn_a else a
    stored_b = b.swapaxes(-1, -2) if turn_b else b
    expected = a @ b
    attrs = {"transpose_a": turn_a, "transpose_b": turn_b}
    assert infer(stored_a.shape, stored_b.shape, **attrs) == expected.shape
    np.testing.assert_array_equal(MATMUL.reference((stored_a, stored_b), PLAIN | attrs), expected)


@given(st.lists(extents, min_size=2, max_size=4), st.lists(extents, min_size=2, max_size=4))
def test_what_is_accepted_numpy_accepts_too(a: list[int], b: list[int]) -> None:
    try:
        shape = infer(tuple(a), tuple(b))
    except ShapeError:
        return
    assert shape == np.matmul(np.zeros(a), np.zeros(b)).shape


def test_inner_dimensions_are_named_with_a_way_out() -> None:
    with pytest.raises(ShapeError) as caught:
        infer((4, 6), (8, 6))
    assert caught.value.message == "inner dimensions differ: w [4, 6] has 6 columns, x [8, 6] has 8 rows"
    assert caught.value.hint == "transpose_b: true would fit"
    assert caught.value.operand == 1


def test_hint_may_be_to_drop_a_transposition() -> None:
    with pytest.raises(ShapeError) as caught:
        infer((4, 6), (6, 3), transpose_a=True)
    assert "w [4, 6] transposed has 4 columns" in caught.value.message
    assert caught.value.hint == "transpose_a: false would fit"


def test_no_hint_where_no_flag_helps() -> None:
    with pytest.raises(ShapeError) as caught:
        infer((4, 6), (7, 8))
    assert caught.value.hint == ""


@pytest.mark.parametrize(("a", "b", "operand"), [((4,), (4, 2), 0), ((2, 4), (4,), 1)])
def test_vectors_are_refused(a: tuple[int, ...], b: tuple[int, ...], operand: int) -> None:
    with pytest.raises(ShapeError, match="needs matrices") as caught:
        infer(a, b)
    assert caught.value.operand == operand


@pytest.mark.parametrize("batches", [((2,), (3,)), ((1,), (3,)), ((2, 3), (3,))])
def test_batch_dimensions_must_be_equal_or_absent(batches: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ShapeError, match="batch dimensions differ"):
        infer((*batches[0], 4, 5), (*batches[1], 5, 6))


def test_result_has_the_format_of_the_operands() -> None:
    for dtype in ("float16", "float32"):
        operands = (Tensor("w", (2, 2), dtype), Tensor("x", (2, 2), dtype))
        assert MATMUL.infer(operands, PLAIN).dtype == dtype


def test_narrow_partials_need_narrow_operands() -> None:
    assert infer((2, 2), (2, 2), partials="float16") == (2, 2)
    wide = (Tensor("w", (2, 2), "float32"), Tensor("x", (2, 2), "float32"))
    with pytest.raises(ShapeError, match="narrower") as caught:
        MATMUL.infer(wide, PLAIN | {"partials": "float16"})
    assert caught.value.attribute == "partials"


def test_one_operand_must_be_dense() -> None:
    sparse = Sparsity(0.5)
    with pytest.raises(ShapeError, match="both sparse"):
        MATMUL.infer(
            (Tensor("w", (2, 2), "float16", sparsity=sparse), Tensor("x", (2, 2), "float16", sparsity=sparse)), PLAIN
        )


def test_flops_count_two_per_multiply_add_and_only_non_zeros() -> None:
    w, x = Tensor("w", (3, 4), "float16"), Tensor("x", (4, 5), "float16")
    assert flops(w, x, (12, 20)) == 2 * 3 * 4 * 5
    thin_w = Tensor("w", (3, 4), "float16", sparsity=Sparsity(0.25))
    thin_x = Tensor("x", (4, 5), "float16", sparsity=Sparsity(0.25))
    assert flops(thin_w, x, (3, 20)) == 2 * 3 * 5
    assert flops(w, thin_x, (12, 5)) == 2 * 5 * 3


def test_flops_of_a_batch() -> None:
    w, x = Tensor("w", (7, 3, 4), "float16"), Tensor("x", (4, 5), "float16")
    assert flops(w, x, (84, 20)) == 2 * 7 * 3 * 4 * 5
    thin = Tensor("x", (4, 5), "float16", sparsity=Sparsity(0.25))
    assert flops(w, thin, (84, 5)) == 2 * 7 * 3 * 5
    turned = Tensor("w", (7, 4, 3), "float16")
    assert flops(turned, x, (84, 20), transpose_a=True) == 2 * 7 * 3 * 4 * 5
