"""Convolutions with block-sparse weights."""

from __future__ import annotations

import numpy as np
import pytest

import ipusim
from ipusim.frontends.build import build_graph
from ipusim.frontends.patterns import sparse_values, tensor_blocks
from ipusim.frontends.values import tensor_values
from ipusim.frontends.workload import load_workload
from ipusim.ops.registry import find_op

CHIP = ipusim.load_chip("tiny", n_tiles=16, tile_sram_bytes="512 KiB")
SPARSITY = {"density": 0.25, "block_size": 4}


def workload(x, w, sparsity=None, **attrs):
    weights = {"shape": list(w), **({"sparsity": sparsity} if sparsity else {})}
    return {
        "name": "sparse-conv",
        "tensors": {"x": {"shape": list(x)}, "w": weights},
        "ops": [{"op": "conv1d" if len(x) == 3 else "conv2d", "inputs": ["x", "w"], "output": "y", **attrs}],
    }


def run_of(document):
    run = ipusim.simulate(document, CHIP, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"]
    return run


@pytest.mark.parametrize(
    ("x", "w", "attrs", "mode"),
    [
        ((1, 8, 6, 5), (16, 8, 1, 1), {}, "static"),
        ((2, 8, 6, 5), (16, 8, 3, 3), {"padding": 1}, "static"),
        ((2, 8, 9), (8, 8, 3), {"stride": 2, "padding": [1, 0], "dilation": 2}, "dynamic"),
    ],
)
def test_values_are_those_of_the_masked_weights(x, w, attrs, mode):
    document = workload(x, w, SPARSITY | {"mode": mode}, **attrs)
    run = run_of(document)
    graph = run.compiled.graph
    matrix = sparse_values(graph.tensors["w"], graph.seed)
    assert (matrix != 0).mean() == pytest.approx(0.25, abs=0.01)
    weights = np.moveaxis(matrix.reshape(w[0], *w[2:], w[1]), -1, 1)
    dense = build_graph(load_workload(workload(x, w, **attrs)))
    x_values = tensor_values(dense.tensors["x"], dense.seed).astype(np.float64)
    reference = find_op(dense.ops[0].kind).reference((x_values, weights.astype(np.float64)), dense.ops[0].attrs)
    assert np.abs(run.outputs["y"] - reference).max() < 0.02 * np.abs(reference).max()
    assert run.flops == 2 * (matrix != 0).sum() * reference[:, 0].size


def test_density_one_is_dense_in_value():
    dense = run_of(workload((2, 8, 6, 5), (16, 8, 3, 3), padding=1)).outputs["y"]
    sparse = run_of(workload((2, 8, 6, 5), (16, 8, 3, 3), SPARSITY | {"density": 1}, padding=1)).outputs["y"]
    assert np.abs(dense - sparse).max() <= 2.0**-10 * np.abs(dense).max()


def test_a_block_is_there_at_all_elements_of_the_kernel_or_at_none():
    graph = build_graph(load_workload(workload((1, 8, 6, 5), (16, 8, 3, 3), SPARSITY)))
    blocks = tensor_blocks(graph.tensors["w"], graph.seed)
    assert blocks.shape == (16, 72)
    present = np.zeros((4, 9, 2), bool)
    present[blocks.rows, blocks.cols // 2, blocks.cols % 2] = True
    assert (present == present[:, :1]).all()
    assert 0 < present.sum() < present.size


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (workload((1, 16, 6, 6), (16, 4, 3, 3), SPARSITY, groups=4), "one group"),
        (workload((1, 8, 6, 6), (16, 8, 3, 3), SPARSITY | {"block_size": 3}), "does not divide"),
        (workload((1, 8, 6, 6), (16, 8, 3, 3), SPARSITY | {"pattern": "magnitude"}), "choose no blocks"),
    ],
)
def test_what_has_no_sparse_weights_is_refused(document, words):
    with pytest.raises(ipusim.BadInputError, match=words):
        build_graph(load_workload(document))


def test_only_convolutions_take_sparse_tensors_of_more_dimensions():
    document = workload((1, 8, 6, 6), (16, 8, 3, 3), SPARSITY)
    document["ops"][0] = {"op": "matmul", "inputs": ["w", "x"], "output": "y"}
    with pytest.raises(ipusim.BadInputError, match="takes sparse matrices"):
        build_graph(load_workload(document))
