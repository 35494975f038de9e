"""The gradient of a sparse matrix at its non-zeros: shapes, values, messages, work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.patterns import tensor_blocks
from ipusim.frontends.workload import load_workload
from ipusim.ir.tensor import Sparsity, Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import ShapeError

OP = find_op("matmul_at_nonzeros")
PLAIN = {"transpose_a": False, "transpose_b": False, "partials": "float32"}
extents = st.integers(1, 6)


def infer(a, b, like, dtype="float16", **attrs):
    tensors = (Tensor("dy", a, dtype), Tensor("x", b, dtype), Tensor("w", like, dtype, sparsity=Sparsity(0.5)))
    return OP.infer(tensors, PLAIN | attrs).shape


@given(st.lists(extents, max_size=2), extents, extents, extents, st.booleans(), st.booleans(), st.integers(0, 99))
def test_values_are_those_of_the_full_product_where_like_has_any(batch, m, k, n, turn_a, turn_b, seed):
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((*batch, m, n)), random.standard_normal((*batch, k, n))
    like = random.integers(0, 2, (m, k)).astype(float)
    stored = (a.swapaxes(-1, -2) if turn_a else a, b.swapaxes(-1, -2) if turn_b else b)
    attrs = {"transpose_a": turn_a, "transpose_b": turn_b}
    assert infer(stored[0].shape, stored[1].shape, (m, k), **attrs) == (m, k)
    expected = np.einsum("bmn,bkn->mk", a.reshape(-1, m, n), b.reshape(-1, k, n)) * like
    np.testing.assert_allclose(OP.reference((*stored, like), PLAIN | attrs), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("shapes", "operand", "message"),
    [
        (((4, 5), (6, 4), (4, 6)), 1, "not summed over the same columns"),
        (((2, 4, 5), (3, 6, 5), (4, 6)), 1, "not summed over the same columns"),
        (((4, 5), (6, 5), (6, 4)), 2, r"the product is \[4, 6\]"),
        (((4,), (6, 5), (4, 6)), 0, "needs matrices"),
        (((4, 5), (6, 5), (1, 4, 6)), 2, "needs matrices"),
    ],
)
def test_what_does_not_go_together(shapes, operand, message):
    with pytest.raises(ShapeError, match=message) as caught:
        infer(*shapes)
    assert caught.value.operand == operand


def test_narrow_partials():
    with pytest.raises(ShapeError, match="narrower") as caught:
        infer((4, 5), (6, 5), (4, 6), "float32", partials="float16")
    assert caught.value.attribute == "partials"


def test_work_is_that_of_the_non_zeros():
    like = Tensor("w", (4, 6), "float16", sparsity=Sparsity(0.5))
    inputs = (Tensor("dy", (3, 4, 5), "float16"), Tensor("x", (3, 6, 5), "float16"), like)
    assert OP.flops(inputs, (like,), PLAIN, (60, 90, 12)) == 2 * 12 * 3 * 5


def document(*ops, **tensors):
    plain = {"w": {"shape": [8, 12], "sparsity": {"density": 0.25}}, "x": {"shape": [12, 4]}, "dy": {"shape": [8, 4]}}
    return {"name": "test", "tensors": plain | tensors, "ops": list(ops), "outputs": [ops[-1]["output"]]}


GRADIENT = {"op": "matmul_at_nonzeros", "inputs": ["dy", "x", "w"], "output": "dw"}


def test_the_result_has_the_pattern_of_the_weight():
    graph = build_graph(load_workload(document(GRADIENT)))
    found, weight = (tensor_blocks(graph.tensors[name], 3) for name in ("dw", "w"))
    assert np.array_equal(found.rows, weight.rows)
    assert np.array_equal(found.cols, weight.cols)
    assert graph.tensors["dw"].sparsity.pattern_of == "w"


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([GRADIENT | {"inputs": ["dy", "x", "v"]}], r"ops.0.inputs.2: v is dense, and .* needs a sparse operand"),
        ([GRADIENT | {"inputs": ["w", "x", "w"]}], r"ops.0.inputs.0: w is sparse"),
        (
            [GRADIENT, {"op": "matmul", "inputs": ["dw", "x"], "output": "y"}],
            r"ops.1.inputs.0: dw is a result; a sparse operand has to be an input",
        ),
        ([GRADIENT, {"op": "sum", "inputs": ["dw"], "output": "y"}], r"ops.1.inputs.0: dw is sparse"),
    ],
)
def test_wrong_operands(ops, message):
    with pytest.raises(BadInputError, match=message):
        build_graph(load_workload(document(*ops, v={"shape": [8, 12]})))
