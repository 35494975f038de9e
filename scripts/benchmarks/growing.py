"""How time and memory grow with tiles, operators, non-zeros and points; and what a large network takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.measuring import ROOT, Figures, exponent, ipusim, matmul, run_process

_TIMED = """
import json, sys, time
from ipusim.chip.load import load_chip
from ipusim.pipeline import simulate
tasks = json.loads(sys.argv[1])
simulate(tasks["warm"], load_chip("bow"), explain=False)
start = time.process_time()
run = simulate(tasks["workload"], load_chip("bow", **tasks["chip"]), explain=False)
print(time.process_time() - start if run.cycles else "no program")
"""


def growth() -> Figures:
    """Compiling and timing, each in a process of its own"""
    figures: Figures = {}
    tiles = (1472, 10_000, 100_000)
    cube = matmul(8192, 8192, 8192, "float16")
    warm = matmul(256, 256, 256, "float16")
    figures |= _series("tiles, 8192-cube", tiles, lambda n: {"warm": warm, "workload": cube, "chip": {"n_tiles": n}})
    figures |= _series("ops of 512", (50, 200, 800), lambda n: {"warm": _layers(2), "workload": _layers(n), "chip": {}})
    edges = {2**20: 4096, 2**22: 8192, 2**24: 16384}
    figures |= _series(
        "non-zeros",
        list(edges),
        lambda n: {"warm": _sparse(1024), "workload": _sparse(edges[n]), "chip": {"tile_sram_bytes": 2**22}},
    )
    return figures


def network() -> Figures:
    """BERT large, 24 layers of 384 tokens, on a Bow: a process of its own, with the levers that make it fit"""
    used = ipusim("run", str(ROOT / "workloads" / "networks" / "bert-large.yaml"), "--no-execute", "--json")
    assert json.loads(used.output)["cycles"]
    return {"ipusim run --no-execute (CPU s)": used.cpu_s, "peak memory (MiB)": used.peak_mib}


def _series(what: str, sizes: Sequence[int], task: Callable[[int], dict[str, Any]]) -> Figures:
    figures: Figures = {}
    times: dict[float, float] = {}
    for size in sizes:
        used = run_process([sys.executable, "-c", _TIMED, json.dumps(task(size))])
        times[size] = figures[f"{size:,} {what} (CPU s)"] = float(used.output)
        figures[f"{size:,} {what}, peak (MiB)"] = used.peak_mib
    figures[f"exponent over {what}"] = exponent(times)
    return figures


def _sparse(edge: int) -> dict[str, Any]:
    """Return a static product with a sixteenth of single non-zeros."""
    sparsity = {"density": "1/16", "block_size": 1, "mode": "static"}
    return matmul(edge, edge, 16, "float16", sparsity=sparsity)


def _layers(count: int) -> dict[str, Any]:
    """Return a chain of products, each with the result of the one before."""
    names = [f"y{number}" for number in range(count + 1)]
    ops = [{"op": "matmul", "inputs": ["w", before], "output": after} for before, after in pairwise(names)]
    tensors = {"w": {"shape": [512, 512]}, "y0": {"shape": [512, 512]}}
    return {"name": "bench", "dtype": "float16", "tensors": tensors, "ops": ops, "outputs": [names[-1]]}
