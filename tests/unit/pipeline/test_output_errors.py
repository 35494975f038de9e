"""Errors of outputs beside float64, from inputs that no format has rounded."""

import numpy as np
import pytest

from ipusim.frontends.build import build_graph
from ipusim.frontends.patterns import tensor_blocks
from ipusim.frontends.workload import load_workload
from ipusim.pipeline.errors import OutputErrors, output_errors, reference_outputs
from ipusim.sparse.blocks import blocks_to_dense


def graph(sparsity=None, init="normal"):
    weights = {"shape": [8, 16], "init": init} | ({"sparsity": sparsity} if sparsity else {})
    return build_graph(
        load_workload(
            {
                "name": "product",
                "dtype": "float16",
                "tensors": {"w": weights, "x": {"shape": [16, 4]}},
                "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y"}],
                "outputs": ["y"],
            }
        )
    )


def test_the_reference_itself_is_right_but_for_its_own_rounding():
    exact = reference_outputs(graph())
    found = output_errors(graph(), {"y": exact["y"].astype(np.float32)})
    assert 0 < found.maximum < 2e-7
    assert 0 < found.root_mean_square < 2e-7


def test_one_wrong_element_by_hand():
    exact = reference_outputs(graph())["y"]
    largest = np.abs(exact).max()
    wrong = exact.astype(np.float32)
    wrong[3, 2] += np.float32(largest / 4)
    found = output_errors(graph(), {"y": wrong})
    assert found.maximum == pytest.approx(0.25, rel=1e-5)
    assert found.root_mean_square == pytest.approx(largest / 4 / np.sqrt(np.square(exact).sum()), rel=1e-5)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_output_that_is_not_finite_has_no_error(value):
    outputs = reference_outputs(graph())["y"].astype(np.float32)
    outputs[0, 0] = value
    assert output_errors(graph(), {"y": outputs}) == OutputErrors(None, None)


def test_nothing_but_zeros_has_no_relative_error():
    zeros = np.zeros((8, 4), np.float32)
    assert output_errors(graph(init="zeros"), {"y": zeros}) == OutputErrors(None, None)


def test_zeros_of_a_pattern_are_zeros_of_the_reference():
    sparse = graph({"density": "1/4", "block_size": 4, "mode": "static"})
    mask = blocks_to_dense(tensor_blocks(sparse.tensors["w"], sparse.seed)) != 0
    assert mask.sum() == 32
    # the same values with all of them kept: rows without a block of their own give nothing
    kept, dense = reference_outputs(sparse)["y"], reference_outputs(graph())["y"]
    empty = ~mask.any(axis=1)
    assert not kept[empty].any()
    assert not np.array_equal(kept, dense)
