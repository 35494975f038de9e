"""Dynamic sparse rates against the published measurements: best over n, one fitted constant or none."""

import csv
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import dynamic_overheads
from ipusim.engine.timing import time_program
from ipusim.kernels.jit import compiled
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.dynamic_partition import partition_pattern
from ipusim.plan.dynamic_plan import plan_dynamic
from ipusim.sparse.blocks import device_block_size, reblock
from ipusim.sparse.patterns.shuffled import PATTERN
from ipusim.sparse.patterns.spec import PatternRequest

DATA = Path(__file__).parents[2] / "ipusim" / "validation" / "data" / "bow_matmul_measured.csv"
ROWS = list(csv.DictReader(DATA.open()))
CURVES = ("ipu_density", "ipu_block_size", "ipu_feature_size")
BATCHES = [4**power for power in range(1, 9)]
DENSE_F32_FLOPS = 57.5e12
"""Dense float32 at 4096 is not published as best over n; 59.5 at 2048 and 55.9 at 8192 are (MODEL_DYNAMIC.md)."""


@dataclass(frozen=True)
class Best:
    flops: float
    n: int
    partition: tuple[int, int, int]


@cache
def bow():
    return load_chip("bow")


@cache
def pattern(m, block_size, density):
    return PATTERN.build(PatternRequest((m, m), block_size, density, accelerate=compiled))


@cache
def rate(m, block_size, density, dtype, n, gap_cycles, bounded=True):
    """Modelled FLOP/s, or None when the plan breaks the bound on its memory."""
    device = device_block_size(block_size, "dynamic", dtype)
    plan = plan_dynamic(m, m, n, device, float(density), dtype, bow())
    if plan is None or (plan.relaxed and bounded):
        return None
    placement = partition_pattern(plan, reblock(pattern(m, block_size, density), device))
    cycles = executed_pass(placement, bow(), replace(dynamic_overheads(bow()), bucket_gap_cycles=gap_cycles)).total
    flops = 2 * m * m * n * float(density) / cycles * bow().clock_hz
    return Best(flops, n, (plan.p_m, plan.p_k, plan.p_n))


def best_over_n(m, block_size, density, dtype, gap_cycles):
    rates = [rate(m, block_size, density, dtype, n, gap_cycles) for n in BATCHES]
    return max((r for r in rates if r), key=lambda r: r.flops)


def curve_points():
    """The distinct measured points: the same configuration of several figures once, with the mean rate."""
    points = {}
    for row in ROWS:
        if row["method"] == "dynamic_sparse" and row["source"].endswith(CURVES):
            key = (int(row["m"]), int(row["block_size"]), Fraction(row["density"]), row["dtype"].replace("FP", "float"))
            points.setdefault(key, []).append(float(row["value"]))
    return {key: sum(values) / len(values) for key, values in points.items()}


POINTS = curve_points()
PRINTED = {(4096, 1, Fraction(1, 16), "float32"): 0.9, (4096, 16, Fraction(1, 16), "float32"): 3.8}


def errors(gap_cycles):
    measured = POINTS | {key: value * DENSE_F32_FLOPS / 16 for key, value in PRINTED.items()}
    return {key: best_over_n(*key, gap_cycles).flops / value for key, value in measured.items()}


def geometric(ratios):
    return math.exp(sum(abs(math.log(ratio)) for ratio in ratios) / len(ratios))


def test_the_data_have_the_ten_distinct_points():
    assert len(POINTS) == 10


def test_rates_without_a_fitted_constant():
    ratios = errors(0)
    assert geometric(ratios.values()) <= 1.045
    assert all(0.85 < ratio < 1.20 for ratio in ratios.values())


def test_rates_with_the_one_fitted_constant():
    ratios = errors(100)
    assert geometric(ratios.values()) <= 1.025
    assert all(0.91 < ratio < 1.09 for ratio in ratios.values())


@pytest.mark.parametrize(
    ("m", "block_size", "divisor", "n"), [(1024, 16, 16, 4096), (4096, 16, 32, 1024), (4096, 1, 32, 256)]
)
def test_compiled_programs(m, block_size, divisor, n):
    """Points of the curves at their best n through the whole compiler."""
    sparsity = {"density": f"1/{divisor}", "block_size": block_size, "mode": "dynamic", "pattern": "shuffled"}
    workload = {
        "name": "product",
        "dtype": "float16",
        "tensors": {"w": {"shape": [m, m], "sparsity": sparsity}, "x": {"shape": [m, n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": "float32"}],
        "outputs": ["y"],
    }
    cycles = time_program(compile_workload(workload, bow()).program, bow()).cycles
    flops = 2 * m * m * n / divisor / cycles * bow().clock_hz
    assert flops / POINTS[m, block_size, Fraction(1, divisor), "float16"] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("m", "block_size", "divisor", "dtype", "n", "partition"),
    [
        (4096, 1, 4, "float16", 256, (32, 23, 2)),
        (4096, 1, 16, "float16", 256, (16, 23, 4)),
        (4096, 1, 32, "float16", 256, (16, 23, 4)),
        (4096, 4, 16, "float16", 1024, (14, 13, 8)),
        (4096, 16, 4, "float16", 1024, (14, 13, 8)),
        (4096, 16, 16, "float16", 1024, (10, 9, 16)),
        (4096, 16, 32, "float16", 1024, (6, 7, 32)),
        (256, 16, 16, "float16", 65536, (2, 2, 256)),
        (1024, 16, 16, "float16", 4096, (4, 5, 64)),
        (8192, 16, 16, "float16", 256, (19, 19, 4)),
        (4096, 1, 16, "float32", 256, (16, 23, 4)),
        (4096, 16, 16, "float32", 1024, (10, 9, 16)),
    ],
)
def test_batch_and_plan_of_the_best_rate(m, block_size, divisor, dtype, n, partition):
    best = best_over_n(m, block_size, Fraction(1, divisor), dtype, 100)
    assert (best.n, best.partition) == (n, partition)


@pytest.mark.parametrize("key", POINTS, ids=str)
def test_order_of_the_methods(key):
    """Dynamic stands on the measured side of dense and of static at every point of the curves."""
    m, block_size, density, dtype = key
    modelled = best_over_n(*key, 100).flops
    for method, block in (("dense", ""), ("static_sparse", str(block_size))):
        others = [
            float(row["value"])
            for row in ROWS
            if row["method"] == method
            and row["source"].endswith(CURVES)
            and (int(row["m"]), Fraction(row["density"]), row["block_size"]) == (m, density, block)
            and row["dtype"].replace("FP", "float") == dtype
        ]
        for other in others:
            assert (modelled > other) == (POINTS[key] > other), method


def test_printed_speed_ups_over_dense():
    dense_f16 = next(
        float(row["value"])
        for row in ROWS
        if row["source"].endswith("ipu_density") and row["method"] == "dense" and row["density"] == "0.0625"
    )
    for block_size, dtype, dense, printed in (
        (1, "float16", dense_f16, 0.4),
        (16, "float16", dense_f16, 1.9),
        (1, "float32", DENSE_F32_FLOPS / 16, 0.9),
        (16, "float32", DENSE_F32_FLOPS / 16, 3.8),
    ):
        speed_up = best_over_n(4096, block_size, Fraction(1, 16), dtype, 100).flops / dense
        assert speed_up == pytest.approx(printed, rel=0.3)


def test_the_wall_clock_point_resists():
    """A framework's loop: static and dense are fast there too, so the surplus is not dynamic's alone."""
    point = next(row for row in ROWS if row["source"] == "SpMM.ipynb" and row["method"] == "dynamic_sparse")
    modelled = rate(4096, 1, Fraction(point["density"]), "float32", int(point["n"]), 100)
    assert modelled.flops / float(point["value"]) == pytest.approx(1.26, abs=0.03)
