import pytest

from ipusim.comparison.weights import find_products
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload


def _products(tensors, ops, patterns=()):
    document = {"name": "test", "tensors": {name: {"shape": shape} for name, shape in tensors.items()}, "ops": ops}
    return find_products(build_graph(load_workload(document)), patterns)


def _matmul(left, right, output, **attributes):
    return {"op": "matmul", "inputs": [left, right], "output": output, **attributes}


@pytest.mark.parametrize(
    ("w", "x", "attributes", "free"),
    [
        ([64, 32], [32, 16], {}, ("x", 1)),
        ([64, 32], [16, 32], {"transpose_b": True}, ("x", 0)),
        ([32, 64], [32, 16], {"transpose_a": True}, ("x", 1)),
        ([64, 32], [5, 32, 16], {}, ("x", 2)),
        ([64, 32], [5, 16, 32], {"transpose_b": True}, ("x", 1)),
    ],
)
def test_weight_on_the_left(w, x, attributes, free):
    (product,) = _products({"w": w, "x": x}, [_matmul("w", "x", "y", **attributes)])
    assert (product.op, product.weight, product.partner, product.free) == ("y", "w", "x", free)


@pytest.mark.parametrize(
    ("x", "w", "attributes", "free"),
    [
        ([16, 32], [32, 64], {}, ("x", 0)),
        ([32, 16], [32, 64], {"transpose_a": True}, ("x", 1)),
        ([16, 32], [64, 32], {"transpose_b": True}, ("x", 0)),
        ([5, 16, 32], [32, 64], {}, ("x", 1)),
    ],
)
def test_weight_on_the_right(x, w, attributes, free):
    (product,) = _products({"x": x, "w": w}, [_matmul("x", "w", "y", **attributes)], ["w"])
    assert (product.weight, product.partner, product.free) == ("w", "x", free)


def test_results_are_no_weights():
    ops = [_matmul("w1", "x", "h"), {"op": "relu", "inputs": ["h"], "output": "r"}, _matmul("r", "w2", "y")]
    products = _products({"w1": [64, 32], "x": [32, 16], "w2": [16, 8]}, ops)
    assert [(product.weight, product.partner) for product in products] == [("w1", "x"), ("w2", "r")]
    assert products[1].free == ("r", 0)


def test_data_that_several_weights_share():
    tensors = {"x": [16, 32], "q": [32, 64], "k": [32, 64]}
    products = _products(tensors, [_matmul("x", "q", "a"), _matmul("x", "k", "b")])
    assert [product.weight for product in products] == ["q", "k"]


def test_what_is_sparse_already_is_the_weight():
    document = {
        "name": "test",
        "tensors": {"x": {"shape": [16, 32]}, "w": {"shape": [32, 64], "sparsity": {"density": 0.5}}},
        "ops": [_matmul("x", "w", "y")],
    }
    (product,) = find_products(build_graph(load_workload(document)))
    assert product.weight == "w"


def test_what_other_operators_read_is_no_weight():
    ops = [_matmul("w", "x", "y"), {"op": "relu", "inputs": ["w"], "output": "z"}]
    (product,) = _products({"w": [64, 32], "x": [32, 16]}, ops)
    assert product.weight == "x"


def test_a_pattern_selects():
    tensors = {"w1": [64, 32], "w2": [8, 64], "x": [32, 16]}
    ops = [_matmul("w1", "x", "h"), _matmul("w2", "h", "y")]
    assert [product.weight for product in _products(tensors, ops)] == ["w1", "w2"]
    assert [product.weight for product in _products(tensors, ops, ["*2"])] == ["w2"]
    assert [product.weight for product in _products(tensors, ops, ["w?"])] == ["w1", "w2"]


def test_patterns_that_match_nothing_are_all_reported():
    with pytest.raises(BadInputError) as caught:
        _products({"w": [64, 32], "x": [32, 16]}, [_matmul("w", "x", "y")], ["ww", "abc", "w"])
    first, second = caught.value.problems
    assert first.hint == "did you mean 'w'?"
    assert second.hint == "there are w and x"


@pytest.mark.parametrize("patterns", [["*"], ["w", "x"]])
def test_both_operands_of_a_matmul(patterns):
    with pytest.raises(BadInputError, match="both operands of a matmul cannot be sparse: w and x of y"):
        _products({"w": [64, 32], "x": [32, 16]}, [_matmul("w", "x", "y")], patterns)


@pytest.mark.parametrize(
    ("tensors", "ops"),
    [
        ({"x": [4, 4]}, [{"op": "relu", "inputs": ["x"], "output": "y"}]),
        ({"a": [2, 4, 4], "b": [2, 4, 4]}, [_matmul("a", "b", "y")]),
        ({"a": [4, 4]}, [_matmul("a", "a", "y")]),
    ],
)
def test_nothing_to_make_sparse(tensors, ops):
    assert _products(tensors, ops) == ()
