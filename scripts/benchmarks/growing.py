"""How time and memory grow with tiles, operators, non-zeros and points; and what a large network takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from benchmarks.measuring import ROOT, Figures, Part, exponent, ipusim, matmul, run_part, without_plans
from benchmarks.simulating import MACHINES, SHARED, explore_points
from ipusim.chip.load import load_chip
from ipusim.pipeline import simulate

EDGES = {2**20: 4096, 2**22: 8192, 2**24: 16384}
"""Of the weights, by their non-zeros."""


def growth() -> Figures:
    """Compiling and timing, and exploring: each in a process of its own, after a small one"""
    cube, small = matmul(8192, 8192, 8192, "float16"), matmul(256, 256, 256, "float16")
    dense, parameters = matmul(1024, 1024, 1024, "float16"), {**MACHINES, **SHARED}
    large = {"tile_sram_bytes": 2**22}
    tiles = (1472, 10_000, 100_000)
    tasks: dict[str, tuple[str, tuple[int, ...], Callable[[int], Part]]] = {
        "tiles, 8192-cube": ("KiB", tiles, lambda n: run_part(compile_one, small, cube, {"n_tiles": n})),
        "ops of 512": ("KiB", (50, 200, 800), lambda n: run_part(compile_one, _layers(2), _layers(n), {})),
        "non-zeros": ("B", tuple(EDGES), lambda n: run_part(compile_one, _sparse(1024), _sparse(EDGES[n]), large)),
        "points": ("KiB", (100, 1000, 4000), lambda n: run_part(explore_points, n, dense, parameters)),
    }
    figures: Figures = {}
    for what, (unit, sizes, run) in tasks.items():
        figures |= growth_of(what, unit, {size: run(size) for size in sizes})
    return figures


def growth_of(what: str, unit: str, parts: Mapping[int, Part]) -> Figures:
    """Return the times and peaks of parts by their size, and how they grow from the smallest to the largest."""
    figures: Figures = {}
    for size, part in parts.items():
        figures[f"{size:,} {what} (CPU s)"] = part.figures["s"]
        figures[f"{size:,} {what}, peak (MiB)"] = part.peak_mib
    figures[f"exponent over {what}"] = exponent({size: part.figures["s"] for size, part in parts.items()})
    least, most = min(parts), max(parts)
    more = (parts[most].peak_mib - parts[least].peak_mib) / (most - least)
    figures[f"memory for one more of the {what} ({unit})"] = more * {"KiB": 2**10, "B": 2**20}[unit]
    return figures


def compile_one(warm: dict[str, Any] | str, workload: dict[str, Any] | str, chip: dict[str, Any]) -> Figures:
    """Return the CPU seconds of compiling and timing a workload, after a small one like it."""
    simulate(warm, load_chip("bow"), explain=False)
    start = time.process_time()
    run = simulate(workload, load_chip("bow", **chip), explain=False)
    taken = time.process_time() - start
    assert run.cycles
    return {"s": taken}


def network() -> Figures:
    """BERT large, 24 layers of 384 tokens, on a Bow: a process of its own, with the levers that make it fit"""
    command = ("run", str(ROOT / "workloads" / "networks" / "bert-large.yaml"), "--no-execute", "--json")
    with without_plans() as folder:
        first, again = (ipusim(*command, IPUSIM_CACHE_DIR=folder) for _ in range(2))
    assert json.loads(first.output)["cycles"]
    return {
        "ipusim run --no-execute (CPU s)": first.cpu_s,
        "peak memory (MiB)": first.peak_mib,
        "again, plans known (CPU s)": again.cpu_s,
        "again, plans known, peak (MiB)": again.peak_mib,
    }


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
