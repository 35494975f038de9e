"""Elementwise operators on the non-zeros of sparse tensors: values, places and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import ipusim
from ipusim.errors import BadInputError
from ipusim.pipeline.simulation import simulate


def update(mode: str, columns: int = 16, block_size: int = 4) -> dict[str, Any]:
    """Return a forward product, its weight gradient over another batch, and the update of the weight."""
    sparsity = {"density": "1/4", "block_size": block_size, "mode": mode}
    return {
        "name": "update",
        "chip": "bow",
        "dtype": "float32",
        "tensors": {
            "w": {"shape": [64, 48], "sparsity": sparsity},
            "x": {"shape": [48, 16]},
            "x2": {"shape": [48, columns]},
            "dy": {"shape": [64, columns]},
            "rate": {"shape": [1], "init": "ones"},
        },
        "ops": [
            {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
            {"op": "matmul_at_nonzeros", "inputs": ["dy", "x2", "w"], "output": "dw"},
            {"op": "mul", "inputs": ["dw", "rate"], "output": "step"},
            {"op": "sub", "inputs": ["w", "step"], "output": "next"},
        ],
        "outputs": ["y", "next"],
    }


@pytest.mark.parametrize("mode", ["static", "dynamic"])
@pytest.mark.parametrize(("columns", "block_size"), [(16, 4), (600, 4), (16, 1)])
def test_a_sparse_update_is_executed_and_checked(mode: str, columns: int, block_size: int) -> None:
    run = simulate(update(mode, columns, block_size), "bow", execute=True, verify=True, settings=["n_tiles=64"])
    assert run.check["passed"]
    assert run.check["checked_fraction"] > 0


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_an_update_costs_its_nonzeros_alone(mode: str) -> None:
    run = simulate(update(mode), "bow")
    by_name = {op["name"]: op for op in run.to_dict()["ops"]}
    assert by_name["next"]["flops"] + by_name["step"]["flops"] == 2 * 64 * 48 // 4


def test_sparse_tensors_without_a_product_are_spread_evenly() -> None:
    sparsity = {"density": "1/4", "block_size": 2}
    workload = {
        "name": "alone",
        "chip": "tiny",
        "dtype": "float32",
        "tensors": {"w": {"shape": [16, 16], "sparsity": sparsity}},
        "ops": [{"op": "scale_shift", "inputs": ["w"], "output": "y", "scale": 2.0}],
    }
    run = simulate(workload, execute=True, verify=True)
    assert run.check["passed"]
    assert run.flops == 2 * 64


def test_tensors_of_other_patterns_are_refused() -> None:
    workload = update("static")
    workload["tensors"]["v"] = {"shape": [64, 48]}
    workload["ops"].append({"op": "add", "inputs": ["w", "v"], "output": "sum"})
    with pytest.raises(BadInputError, match="works on the non-zeros of w, and v does not have its pattern"):
        ipusim.compile(workload)
