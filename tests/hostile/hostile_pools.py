"""Documents and files to begin with: the packaged ones, and small ones that have everything in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hostile_values import Pool

from ipusim.files.document import load_document
from ipusim.files.packaged import packaged_file, packaged_names

ROOT = Path(__file__).parents[2]

TINY_OPS = [
    {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
    {"op": "relu", "inputs": ["y"], "output": "z"},
]
TINY: dict[str, Any] = {
    "name": "t",
    "chip": "tiny",
    "tensors": {"w": {"shape": [8, 8]}, "x": {"shape": [8, 4]}},
    "ops": TINY_OPS,
}
SPARSE: dict[str, Any] = {
    **TINY,
    "tensors": {"w": {"shape": [8, 8], "sparsity": {"density": "1/2", "block_size": 1}}, "x": {"shape": [8, 4]}},
}


def _documents(kind: Any, names: Sequence[str]) -> list[Any]:
    return [load_document(packaged_file(kind, name)).data for name in names]


@cache
def chip_pool() -> Pool:
    whole = _documents("configs", ("tiny", "bow", "c600"))
    small = {"extends": "tiny", "name": "a", "n_tiles": 8, "clock_hz": "1 GHz", "sync_cycles": 10}
    return Pool([*whole, *[small] * 12])


@cache
def workload_pool() -> Pool:
    heavy = ("networks/", "dense/too-large", "sparse/ffn")
    found = _documents("workloads", [name for name in packaged_names("workloads") if not name.startswith(heavy)])
    networks = ("networks/conv-block", "networks/depthwise-block", "networks/streamed-mlp", "networks/encoder-layer")
    tiny = [*_small_workloads(), TINY, SPARSE]
    return Pool([*found, *_documents("workloads", networks), *tiny * 3])


def _small_workloads() -> list[Any]:
    dense = {"shape": [8, 8]}
    sparse = {"shape": [8, 8], "sparsity": {"density": 0.25, "block_size": 4, "mode": "dynamic", "oversize": 0.5}}
    bands = {"shape": [8, 8], "sparsity": {"density": 0.5, "pattern": {"n_m": {"n": 2, "m": 4}}}}
    image = {"shape": [1, 4, 6, 6]}
    return [
        {**TINY, "tensors": {"w": sparse, "x": dense}},
        {**TINY, "tensors": {"w": bands, "x": dense}},
        {**TINY, "tensors": {"w": {**dense, "init": {"values": [1.5] * 64}}, "x": {**dense, "init": "zeros"}}},
        {
            **TINY,
            "tensors": {"i": image, "k": {"shape": [4, 4, 3, 3]}},
            "ops": [{"op": "conv2d", "inputs": ["i", "k"], "output": "y", "stride": [1, 1], "padding": [1, 1, 1, 1]}],
        },
        {
            **TINY,
            "tensors": {
                "t": {"shape": [6, 8]},
                "i": {"shape": [5], "dtype": "int32", "init": {"integers": {"below": 6}}},
            },
            "ops": [
                {"op": "gather", "inputs": ["t", "i"], "output": "g"},
                {"op": "softmax", "inputs": ["g"], "output": "s", "axis": 1},
                {"op": "top_k", "inputs": ["s"], "output": "k", "k": 2},
            ],
        },
        {
            **TINY,
            "compile": {"available_memory_proportion": 0.6, "layout": "network", "levers": ["temporaries", "stream"]},
            "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float32"}],
        },
        {**TINY, "layers": {"w": {"density": "1/2", "block_size": 2, "mode": "static"}, "*": {"partials": "float32"}}},
    ]


@cache
def model_pool() -> Pool:
    models = [
        {"transformer": {"layers": 1, "hidden": 8, "heads": 2, "ffn": 16, "sequence": 4, "batch": 1}},
        {"mlp": {"layers": [8, 8, 4], "batch": 2}},
        {"gpt2": {"layers": 1}},
        {"bert": {"layers": 1, "hidden": 8, "heads": 2}},
        *({name: {}} for name in ("lstm", "dlrm", "resnet50", "mobilenet-v1")),
    ]
    training = load_document(packaged_file("workloads", "training/digits-mlp")).data
    return Pool([*({"name": "m", "chip": "tiny", "model": each} for each in models), training, training])


@cache
def space_pool() -> Pool:
    small = {
        "name": "s",
        "chip": "tiny",
        "workloads": [TINY, {"workload": SPARSE, "name": "sparse", "weight": 2}],
        "parameters": {
            "n_tiles": {"from": 2, "to": 8, "step": 2},
            "tile_sram_bytes": "64 KiB / n_tiles",
            "workload.tensors.x.shape.1": [2, 4],
        },
        "constraints": ["total_sram_bytes <= 1 MiB", "memory < 1"],
        "objectives": ["seconds", "tflops:desc"],
        "sampler": "random",
        "budget": 3,
    }
    small["constraints"] = ["total_sram_bytes <= 1 MiB"]
    return Pool([*_documents("spaces", packaged_names("spaces")), small, small, small, small])


@cache
def result_pool() -> Pool:
    import ipusim

    run = ipusim.simulate(TINY, execute=True).to_dict(profile=True)
    tight = ipusim.simulate(TINY, settings=["tensors.x.shape=[8, 40000]"]).to_dict()
    cells = ipusim.compare(SPARSE, densities="1/2,1/4", block_sizes="1,2", workers=1).to_dict()
    validation = {"schema": "ipusim-validation-1", "chip": "bow", "options": {}, "versions": {}, "passed": True}
    validation |= {"n_points": 1, "sources": [], "fitted_constants": []}
    return Pool([json.loads(json.dumps(each, default=float)) for each in (run, run, tight, cells, validation)])


@cache
def onnx_models() -> list[Any]:
    import onnx

    names = ("mlp-ts", "mlp-dynamo", "cnn-ts", "conv1d-ts", "recommender-ts", "sentence-ts")
    return [onnx.load(ROOT / "tests" / "data" / "onnx" / f"{name}.onnx") for name in names]


@cache
def topology_files() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted((ROOT / "tests" / "data" / "scale_sim").glob("*.csv")))
