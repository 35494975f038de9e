"""The simulator itself: planning, timing, partitioning, exploring, starting, reporting, validating."""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, Figures, figures_of, ipusim, matmul, run_part, seconds
from ipusim.chip.load import load_chip
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.pipeline import compile_workload, simulate
from ipusim.plan.best_rows import search_rows
from ipusim.plan.dense import machine_of, product_of, variants_of
from ipusim.plan.problem import MatMulProblem
from ipusim.report.chrome_trace import compress_trace


def planning() -> Figures:
    """Plans of dense products, without any cache"""
    return figures_of(plan_products)


def plan_products() -> Figures:
    """Return the plans per second of ordinary products, and the seconds of the slowest large one."""
    chip = load_chip("bow")

    def plan(m: int, k: int, n: int, dtype: str) -> None:
        problem = MatMulProblem(1, m, k, n, dtype, dtype, dtype)
        limit = int(0.6 * chip.tile_sram_bytes)
        search_rows("dense", machine_of(chip), product_of(problem), variants_of(problem, chip), limit, 5, False)

    ordinary = [(m, m, n, dtype) for m in (1024, 4096) for n in (64, 1024) for dtype in ("float16", "float32")]
    large = [(65536, 65536, 1), (65536, 65536, 64), (65536, 64, 65536), (65536, 65536, 65536), (1, 65536, 65536)]
    plan(64, 64, 64, "float16")
    total = sum(seconds(partial(plan, *shape)) for shape in ordinary)
    worst = max(seconds(partial(plan, *shape, "float32"), 1) for shape in large)
    return {"plans per second": len(ordinary) / total, "slowest plan up to 65,536 (s)": worst}


def timing() -> Figures:
    """Timing of a 4096-cube on 1,472 tiles"""
    return figures_of(time_cube)


def time_cube() -> Figures:
    """Return how fast a cube's program is timed and its memory mapped."""
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


def partitioning() -> Figures:
    """A million non-zeros planned and dealt to tiles (4096 square, d = 1/16, b = 1)"""
    return figures_of(partition_random)


def partition_random() -> Figures:
    """Return the seconds of planning and partitioning a random pattern."""
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
    """Exploring with one process, the store included"""
    dense = matmul(1024, 1024, 1024, "float16")
    sparse = matmul(4096, 4096, 1024, "float16", sparsity={"density": "1/16", "mode": "static"})
    kinds: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
        "each another program": (200, dense, MACHINES),
        "a grid of 1,000": (1000, dense, {**MACHINES, **SHARED}),
        "static sparse, 1 M non-zeros": (20, sparse, MACHINES),
    }
    figures: Figures = {}
    for what, task in kinds.items():
        part = run_part(explore_points, *task)
        figures[f"points per CPU second, {what}"] = part.figures["points"] / part.figures["s"]
        figures[f"{what}, peak (MiB)"] = part.peak_mib
    return figures


MACHINES: dict[str, Any] = {
    "n_tiles": {"from": 736, "to": 2208, "step": 4},
    "tile_sram_bytes": "897 MiB / n_tiles",
    "exchange_bytes_per_cycle": [4, 8],
}
SHARED: dict[str, Any] = {
    "clock_hz": {"from": "1 GHz", "to": "2 GHz", "points": 8},
    "sync_cycles": list(range(100, 150, 10)),
}
"""Parameters that change no program."""


def explore_points(n_points: int, product: dict[str, Any], parameters: dict[str, Any]) -> Figures:
    """Return the CPU seconds of a new exploration of so many points, after one of two."""
    from ipusim.exploration import explore as run

    def taken(budget: int) -> float:
        space = {"name": "bench", "workloads": [product], "parameters": parameters, "budget": budget}
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            explored = run(space, store=Path(folder) / "store.sqlite", workers=1)
            seconds_taken = time.process_time() - start
            assert explored.status()["finished"] == budget
        return seconds_taken

    taken(2)
    return {"points": n_points, "s": taken(n_points)}


def startup() -> Figures:
    """Whole processes of the command line"""
    workload = str(ROOT / "workloads" / "dense" / "matmul-4096-float16.yaml")
    figures: Figures = {}
    for words in (["--help"], ["chips"], ["run", workload, "--no-execute"]):
        shown = " ".join(word for word in words if word != workload)
        runs = [ipusim(*words) for _ in range(3)]
        figures[f"ipusim {shown}, warm (CPU s)"] = min(used.cpu_s for used in runs)
        figures[f"ipusim {shown}, warm, peak (MiB)"] = min(used.peak_mib for used in runs)
    with tempfile.TemporaryDirectory() as folder:
        cold = ipusim("run", workload, "--no-execute", IPUSIM_CACHE_DIR=folder)
    figures["ipusim run --no-execute, the first time ever (CPU s)"] = cold.cpu_s
    figures["ipusim run --no-execute, the first time ever, peak (MiB)"] = cold.peak_mib
    return figures


def validate() -> Figures:
    """All published measurements, in two processes: the first time ever, and again"""
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = (ipusim("validate", "--workers", "2", "--json", IPUSIM_CACHE_DIR=folder) for _ in range(2))
    figures: Figures = {"points": json.loads(warm.output)["n_points"]}
    for what, used in (("first time ever", cold), ("again", warm)):
        figures |= {f"{what} (CPU s)": used.cpu_s, f"{what}, clock (s)": used.wall_s}
        figures[f"{what}, larger process, peak (MiB)"] = used.peak_mib
    return figures


def report() -> Figures:
    """Page and trace of 96 layers of 1024 features on 1,472 tiles"""
    return figures_of(render_layers)


def render_layers() -> Figures:
    """Return the seconds and sizes of the page and of the trace of a long program."""
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
