import pytest

from ipusim.comparison.extents import linked_axes
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload


def _links(tensors, *ops):
    document = {"name": "test", "tensors": {name: {"shape": shape} for name, shape in tensors.items()}, "ops": []}
    for kind, inputs, output, *attributes in ops:
        document["ops"].append({"op": kind, "inputs": inputs, "output": output, **(attributes or [{}])[0]})
    return linked_axes(build_graph(load_workload(document)))


def test_a_product():
    links = _links({"w": [64, 32], "x": [32, 16]}, ("matmul", ["w", "x"], "y"))
    assert links["w", 0] == {("w", 0), ("y", 0)}
    assert links["w", 1] == {("w", 1), ("x", 0)}
    assert links["x", 1] == {("x", 1), ("y", 1)}


def test_equal_extents_are_not_mixed_up():
    links = _links({"w": [8, 8], "x": [8, 8]}, ("matmul", ["w", "x"], "y", {"transpose_a": True, "transpose_b": True}))
    assert links["w", 1] == {("w", 1), ("y", 0)}
    assert links["w", 0] == {("w", 0), ("x", 1)}
    assert links["x", 0] == {("x", 0), ("y", 1)}


def test_a_batch_of_products():
    links = _links({"a": [5, 4, 8], "b": [5, 8, 3]}, ("matmul", ["a", "b"], "y"))
    assert links["a", 0] == {("a", 0), ("b", 0), ("y", 0)}


def test_a_bias_does_not_follow_the_axis_that_it_stretches_over():
    links = _links({"x": [8, 16], "bias": [8, 1]}, ("add", ["x", "bias"], "s"), ("relu", ["s"], "y"))
    assert links["bias", 1] == {("bias", 1)}
    assert links["x", 1] == {("x", 1), ("s", 1), ("y", 1)}
    assert links["x", 0] == {("x", 0), ("bias", 0), ("s", 0), ("y", 0)}


def test_a_bias_does_not_follow_a_batch_of_one():
    tensors = {"w": [8, 4], "x": [4, 1], "bias": [8, 1]}
    links = _links(tensors, ("matmul", ["w", "x"], "p"), ("add", ["p", "bias"], "y"))
    assert links["x", 1] == {("x", 1), ("p", 1), ("y", 1)}
    assert links["bias", 1] == {("bias", 1)}


def test_a_vector_is_aligned_from_the_last_axis():
    links = _links({"x": [8, 16], "v": [16]}, ("add", ["x", "v"], "y"))
    assert links["v", 0] == {("v", 0), ("x", 1), ("y", 1)}


def test_a_tensor_with_itself():
    links = _links({"x": [8, 16]}, ("add", ["x", "x"], "y"))
    assert links["x", 0] == {("x", 0), ("y", 0)}


@pytest.mark.parametrize("axis", [("pixels", 1), ("scores", 1), ("hidden", 1)])
def test_the_batch_of_a_network_goes_through_all_layers(axis):
    links = linked_axes(build_graph(load_workload("dense/mlp")))
    names = {name for name, _ in links[axis]}
    assert names == {"pixels", "product1", "shifted1", "hidden", "product2", "shifted2", "scores"}
    assert {dimension for _, dimension in links[axis]} == {1}
