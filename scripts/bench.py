#!/usr/bin/env python3
"""Speed of ipusim, side by side with what it can be compared with, in one run.

Usage: .venv/bin/python scripts/bench.py [--only NAME ...] [--json]

Every figure is taken after a warm-up in this process, except the start-up times, which are whole processes. Ratios are
between figures of the same run; absolute figures are this machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

THREADS = 2
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402

from ipusim.chip.load import load_chip  # noqa: E402
from ipusim.engine.execution import execute_program  # noqa: E402
from ipusim.engine.memory import map_memory  # noqa: E402
from ipusim.engine.timing import time_program  # noqa: E402
from ipusim.frontends.patterns import sparse_values  # noqa: E402
from ipusim.frontends.values import tensor_values  # noqa: E402
from ipusim.pipeline import Compiled, compile_workload, simulate  # noqa: E402
from ipusim.plan.best_rows import search_rows  # noqa: E402
from ipusim.plan.dense import machine_of, product_of, variants_of  # noqa: E402
from ipusim.plan.problem import MatMulProblem  # noqa: E402
from ipusim.report.chrome_trace import compress_trace  # noqa: E402

ROOT = Path(__file__).parents[1]
Figures = dict[str, float]


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of a few runs, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def matmul(m: int, k: int, n: int, dtype: str, **weight: Any) -> dict[str, Any]:
    """Return a workload of one matrix product; `weight` describes the left operand further."""
    return {
        "name": "bench",
        "dtype": dtype,
        "tensors": {"w": {"shape": [m, k], **weight}, "x": {"shape": [k, n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": dtype}],
    }


def planning() -> Figures:
    """Plans per second of dense matmuls, without any cache; and the slowest of dimensions up to 65,536."""
    chip = load_chip("bow")

    def plan(m: int, k: int, n: int, dtype: str) -> None:
        problem = MatMulProblem(1, m, k, n, dtype, dtype, dtype)
        limit = int(0.6 * chip.tile_sram_bytes)
        search_rows("dense", machine_of(chip), product_of(problem), variants_of(problem, chip), limit, 5, False)

    ordinary = [(m, m, n, dtype) for m in (1024, 4096) for n in (64, 1024) for dtype in ("float16", "float32")]
    large = [(65536, 65536, 1), (65536, 65536, 64), (65536, 64, 65536), (65536, 65536, 65536), (1, 65536, 65536)]
    plan(64, 64, 64, "float16")
    total = sum(seconds(lambda shape=shape: plan(*shape)) for shape in ordinary)
    worst = max(seconds(lambda shape=shape: plan(*shape, "float32"), 1) for shape in large)
    return {"plans per second": len(ordinary) / total, "slowest plan up to 65,536 (s)": worst}


def timing() -> Figures:
    """Simulated supersteps times tiles per second, the memory map included."""
    compiled = compile_workload(matmul(4096, 4096, 4096, "float16"))
    program = compiled.program
    assert program is not None
    trace = time_program(program, compiled.chip)
    taken = seconds(lambda: time_program(program, compiled.chip))
    mapped = seconds(lambda: map_memory(program, compiled.chip))
    return {
        "supersteps x tiles per second": trace.n_supersteps * program.n_tiles / taken,
        "timing (ms)": 1e3 * taken,
        "memory map (ms)": 1e3 * mapped,
    }


def execution() -> Figures:
    """Execution of a 4096-cube float32 matmul against numpy's matrix product on the same threads."""
    compiled, values = _compiled_with_values(matmul(4096, 4096, 4096, "float32"))
    left, right = values["w"], values["x"]
    ours = seconds(lambda: _execute(compiled, values), 2)
    theirs = seconds(lambda: left @ right, 2)
    return {"ipusim (s)": ours, "numpy (s)": theirs, "speed relative to numpy": theirs / ours}


def sparse_execution() -> Figures:
    """Execution of static sparse products at 4096, n = 256, d = 1/16, against SciPy's CSR and BSR products."""
    figures: Figures = {}
    for block in (1, 4, 8, 16):
        sparsity = {"density": "1/16", "block_size": block, "mode": "static"}
        compiled, values = _compiled_with_values(matmul(4096, 4096, 256, "float32", sparsity=sparsity))
        csr = scipy.sparse.csr_array(values["w"])
        layouts = {"CSR": csr} if block == 1 else {"CSR": csr, "BSR": csr.tobsr((block, block))}
        dense = values["x"]
        ours = seconds(lambda c=compiled, v=values: _execute(c, v))
        for name, matrix in layouts.items():
            theirs = seconds(lambda m=matrix, d=dense: m @ d)
            figures[f"b = {block}: speed relative to SciPy's {name}"] = theirs / ours
    return figures


def partitioning() -> Figures:
    """Planning and partitioning of a million non-zeros (4096 square, d = 1/16, b = 1), caches cleared."""
    from ipusim.plan.static_partition import partition_static
    from ipusim.plan.static_search import plan_static
    from ipusim.sparse.patterns.registry import build_pattern
    from ipusim.sparse.patterns.spec import PatternRequest, density_of

    chip = load_chip("bow")
    blocks = build_pattern("random", PatternRequest((4096, 4096), 1, density_of("1/16"), 0))
    plan = plan_static(blocks, 1024, "float16", chip)
    assert plan is not None
    partition_static(blocks, plan, chip)
    return {
        "plan (s)": seconds(lambda: plan_static(blocks, 1024, "float16", chip)),
        "partition (s)": seconds(lambda: partition_static(blocks, plan, chip)),
    }


def explore() -> Figures:
    """Points per CPU second of one process, store included: spaces of dense products, and one with 1 M non-zeros."""
    from ipusim.exploration import explore as run

    def per_second(n_points: int, product: dict[str, Any], parameters: dict[str, Any]) -> tuple[float, int]:
        space = {"name": "bench", "workloads": [product], "parameters": parameters, "budget": n_points}
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            explored = run(space, store=Path(folder) / "store.sqlite", workers=1)
            taken = time.process_time() - start
            assert explored.status()["finished"] == n_points
            return n_points / taken, explored.status()["simulations_in_store"]

    dense = matmul(1024, 1024, 1024, "float16")
    machines = {
        "n_tiles": {"from": 736, "to": 2208, "step": 4},
        "tile_sram_bytes": "897 MiB / n_tiles",
        "exchange_bytes_per_cycle": [4, 8],
    }
    shared = {"clock_hz": {"from": "1 GHz", "to": "2 GHz", "points": 8}, "sync_cycles": list(range(100, 150, 10))}
    sparse = matmul(4096, 4096, 1024, "float16", sparsity={"density": "1/16", "mode": "static"})
    per_second(8, dense, machines)
    per_second(2, sparse, machines)
    figures: Figures = {"dense, each point another program": per_second(300, dense, machines)[0]}
    for n_points in (100, 1000, 10_000):
        figures[f"dense, {n_points:,} points of a grid"] = per_second(n_points, dense, {**machines, **shared})[0]
    figures["static sparse, 1 M non-zeros, each another"] = per_second(40, sparse, machines)[0]
    figures["peak memory (MiB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def startup() -> Figures:
    """CPU seconds of whole processes: the help, and a warm run of a 4096-cube matmul without execution."""
    workload = str(ROOT / "workloads" / "dense" / "matmul-4096-float16.yaml")
    commands = {"ipusim --help": ["--help"], "ipusim run --no-execute": ["run", workload, "--no-execute"]}
    return {f"{name} (CPU s)": min(_cpu_seconds(words) for _ in range(4)) for name, words in commands.items()}


def report() -> Figures:
    """The page and the trace of 96 layers of 1024 features on 1,472 tiles: CPU seconds, and size."""
    names = ["x", *(f"y{layer}" for layer in range(96))]
    workload = {
        "name": "bench",
        "dtype": "float16",
        "tensors": {"w": {"shape": [1024, 1024]}, "x": {"shape": [1024, 512]}},
        "ops": [
            op
            for before, after in pairwise(names)
            for op in (
                {"op": "matmul", "inputs": ["w", before], "output": f"p{after}", "partials": "float16"},
                {"op": "relu", "inputs": [f"p{after}"], "output": after},
            )
        ],
        "outputs": [names[-1]],
    }
    run = simulate(workload, "bow", explain=False)
    assert run.trace is not None
    start = time.process_time()
    page = run.to_html()
    shown = time.process_time()
    trace = compress_trace(run.to_chrome_trace() or "")
    return {
        "supersteps": run.trace.n_supersteps,
        "page (CPU s)": shown - start,
        "page (MB)": len(page.encode()) / 1e6,
        "trace (CPU s)": time.process_time() - shown,
        "trace (MB)": len(trace) / 1e6,
    }


def growth() -> Figures:
    """Compiling and timing an 8192-cube matmul on more and more tiles: seconds, and peak memory of this process."""
    figures: Figures = {}
    for n_tiles in (1472, 10_000, 100_000):
        chip = load_chip("bow", n_tiles=n_tiles)
        compile_workload(matmul(8192, 8192, 8192, "float16"), chip)
        start = time.perf_counter()
        compiled = compile_workload(matmul(8192, 8192, 8192, "float16"), chip)
        assert compiled.program is not None
        time_program(compiled.program, chip)
        figures[f"{n_tiles} tiles (s)"] = time.perf_counter() - start
        figures[f"{n_tiles} tiles, peak (MiB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _compiled_with_values(workload: dict[str, Any]) -> tuple[Compiled, dict[str, Any]]:
    compiled = compile_workload(workload)
    values = {}
    for name in compiled.graph.inputs:
        tensor = compiled.graph.tensors[name]
        values[name] = (sparse_values if tensor.sparsity else tensor_values)(tensor, 0)
    _execute(compiled, values)
    return compiled, values


def _execute(compiled: Compiled, values: dict[str, Any]) -> dict[str, np.ndarray]:
    assert compiled.program is not None
    return execute_program(compiled.program, values, THREADS)


def _cpu_seconds(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "ipusim", *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


BENCHES = (planning, timing, execution, sparse_execution, partitioning, explore, startup, report, growth)


def main() -> None:
    """Run the chosen benches and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[bench.__name__ for bench in BENCHES])
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    chosen = parser.parse_args()
    results = {}
    for bench in BENCHES:
        if chosen.only and bench.__name__ not in chosen.only:
            continue
        results[bench.__name__] = bench()
        if not chosen.json:
            print(f"{bench.__name__}: {(bench.__doc__ or '').splitlines()[0]}")
            for label, value in results[bench.__name__].items():
                print(f"  {label:44} {value:12.4g}")
    if chosen.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
