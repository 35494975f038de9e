"""Models exported by PyTorch, executed on a chip of a few tiles, against onnxruntime on the same inputs."""

import numpy as np
import pytest
from onnx_models import EXPORTED, by_runtime, graph_and_values, open_sizes, workload_of

import ipusim

CHIP = ipusim.load_chip("bow", n_tiles=8)
FILES = sorted(EXPORTED.glob("*.onnx"))
LARGEST_ERROR = {"float32": 4e-6, "float16": 4e-3}
"""Of the largest value of the result, which has gone through about ten layers."""


def run_and_compare(path, dtype):
    workload = workload_of(path, dtype, **open_sizes(path))
    run = ipusim.simulate(workload, CHIP, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"], run.check
    graph, values = graph_and_values(workload)
    (expected,) = by_runtime(path, values)
    found = run.outputs[graph.outputs[0]]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= LARGEST_ERROR[dtype] * np.abs(expected).max()


def test_both_exporters_and_all_kinds_of_networks_are_there():
    names = {path.stem.rpartition("-")[0] for path in FILES}
    assert names >= {"mlp", "cnn", "resnet-block", "encoder", "attention", "lstm", "recommender", "sentence", "decoder"}
    assert sum(path.stat().st_size for path in FILES) < 500_000


@pytest.mark.parametrize("path", [path for path in FILES if "half" not in path.stem], ids=lambda path: path.stem)
def test_an_exported_model_computes_what_onnxruntime_does(path):
    run_and_compare(path, "float32")


@pytest.mark.parametrize("name", ["mlp-ts-half", "encoder-dynamo"])
def test_a_model_runs_in_float16_whatever_its_file_holds(name):
    run_and_compare(EXPORTED / f"{name}.onnx", "float16")
