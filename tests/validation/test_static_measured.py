"""Static sparse matmuls against the published measurements on one Bow IPU; dense taken from the model.

Nothing is fitted to sparse measurements: what phases cost is the chip's. What was chosen with these measurements
in view is the cost of irregular reductions (:func:`ipusim.cost.grouped_reduction.strided_slots`) and the reserve of the
memory rule. The published sweep of static products is taken to end at n = 4096. Nothing published says so, and the
power law depends on it: were n up to 65,536 taken for small features, its exponent of the features would be 0.45 (0.40
with 8192 features) rather than the published 0.59.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import dynamic_overheads
from ipusim.engine.timing import time_program
from ipusim.kernels.jit import compiled
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.static_executed import executed_cycles
from ipusim.plan.static_memory import RESERVED_BYTES, static_memory
from ipusim.plan.static_partition import partition_static
from ipusim.plan.static_reduction import plan_reduction
from ipusim.plan.static_search import plan_static
from ipusim.sparse.blocks import Blocks
from ipusim.sparse.patterns.registry import build_pattern
from ipusim.sparse.patterns.spec import PatternRequest

DATA = Path(__file__).parents[2] / "ipusim" / "validation" / "data" / "bow_matmul_measured.csv"
FORMATS = {"FP16": "float16", "FP32": "float32"}
SWEEP = (4, 16, 64, 256, 1024, 4096)
LONG_SWEEP = (*SWEEP, 16384, 65536)
BOW = load_chip("bow")
OVERHEADS = dynamic_overheads(BOW)


@dataclass(frozen=True)
class Case:
    m: int
    n: int
    block_size: int
    density: float
    dtype: str = "float16"

    @property
    def flops(self) -> float:
        return 2 * self.m**2 * self.n * self.density


@dataclass(frozen=True)
class Outcome:
    cycles: int
    live_bytes: int


def measured(source: str) -> list[dict[str, str]]:
    with DATA.open() as file:
        return [row for row in csv.DictReader(file) if row["source"].endswith(source)]


GRID = {
    Case(int(row["m"]), int(row["n"]), int(row["block_size"]), float(row["density"])): float(row["value"] or "nan")
    for row in measured("ipu_static_grid")
}
FILLED = [case for case, value in GRID.items() if not math.isnan(value)]
BLANK = [case for case, value in GRID.items() if math.isnan(value)]


@cache
def pattern(m: int, block_size: int, density: float) -> Blocks:
    return build_pattern("shuffled", PatternRequest((m, m), block_size, Fraction(density), accelerate=compiled))


@cache
def static(case: Case) -> Outcome | None:
    blocks = pattern(case.m, case.block_size, case.density)
    plan = plan_static(blocks, case.n, case.dtype, BOW)
    if plan is None:
        return None
    parts = partition_static(blocks, plan, BOW)
    reduction = plan_reduction(parts, BOW)
    cycles = executed_cycles(parts, BOW, OVERHEADS, reduction).total
    return Outcome(cycles, static_memory(parts, reduction, BOW).live_bytes)


@cache
def dense_cycles(m: int, n: int, dtype: str) -> int:
    return compiled_cycles(m, n, dtype)


def compiled_cycles(m: int, n: int, dtype: str, **weight: object) -> int:
    """Cycles of the whole program of a product, as a user of the compiler gets them."""
    workload = {
        "name": "product",
        "dtype": dtype,
        "tensors": {"w": {"shape": [m, m], **weight}, "x": {"shape": [m, n]}},
        "ops": [{"op": "matmul", "inputs": ["w", "x"], "output": "y", "partials": dtype}],
        "outputs": ["y"],
    }
    return time_program(compile_workload(workload, BOW).program, BOW).cycles


def benchmark_bytes(case: Case) -> int:
    """Live bytes of the benchmark: it also keeps W, X and Y in float32 for the host."""
    outcome = static(case)
    assert outcome is not None
    copies = 4 * (2 * case.m * case.n + case.m**2 * case.density) / BOW.n_tiles
    return outcome.live_bytes + int(copies)


def fits(case: Case) -> bool:
    if 4 * 2 * case.m * case.n / BOW.n_tiles > BOW.tile_sram_bytes:
        return False
    return static(case) is not None and benchmark_bytes(case) + RESERVED_BYTES <= BOW.tile_sram_bytes


def speed_up(case: Case) -> float:
    outcome = static(case)
    assert outcome is not None, case
    return dense_cycles(case.m, case.n, case.dtype) / outcome.cycles


def error_factor(cases: Iterable[Case]) -> float:
    return math.exp(float(np.mean([abs(math.log(speed_up(case) / GRID[case])) for case in cases])))


def right_side(cases: Iterable[Case]) -> float:
    clear = [case for case in cases if not 0.9 <= GRID[case] <= 1.1]
    return sum((speed_up(case) > 1) == (GRID[case] > 1) for case in clear) / len(clear)


def best_flops(
    m: int, block_size: int, density: float, dtype: str = "float16", sweep: tuple[int, ...] = SWEEP
) -> float:
    cases = [case for n in sweep if fits(case := Case(m, n, block_size, density, dtype))]
    rates = [case.flops / outcome.cycles for case in cases if (outcome := static(case)) is not None]
    return max(rates) * BOW.clock_hz


def best_dense_flops(m: int, dtype: str = "float16") -> float:
    sizes = [n for n in LONG_SWEEP if m * n <= 4096 * 16384]
    return max(2 * m**2 * n / dense_cycles(m, n, dtype) for n in sizes) * BOW.clock_hz


def test_the_grid_is_complete() -> None:
    assert (len(FILLED), len(BLANK)) == (219, 6)


def test_small_features() -> None:
    cases = [case for case in FILLED if case.m <= 1024]
    assert len(cases) == 90
    assert error_factor(cases) <= 1.12
    assert right_side(cases) >= 0.93


def test_compiled_programs() -> None:
    """Every seventh cell of the small features, of all n and densities, through the whole compiler."""
    errors = []
    for case in [case for case in FILLED if case.m <= 1024][::7]:
        sparsity = {"density": case.density, "block_size": case.block_size, "pattern": "shuffled"}
        cycles = compiled_cycles(case.m, case.n, case.dtype, sparsity=sparsity)
        outcome = static(case)
        assert outcome is not None
        assert cycles == pytest.approx(outcome.cycles, rel=0.05)  # the program adds the distance of the tiles
        errors.append(math.log(dense_cycles(case.m, case.n, case.dtype) / cycles / GRID[case]))
    assert len(errors) == 13
    assert math.exp(float(np.mean(np.abs(errors)))) <= 1.12


@pytest.mark.slow
def test_whole_grid() -> None:
    assert error_factor(FILLED) <= 1.09
    assert right_side(FILLED) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part_of", "bound"),
    [
        ("features", lambda case: case.m, 1.12),
        ("density", lambda case: case.density, 1.10),
        ("block size", lambda case: case.block_size, 1.11),
        ("columns", lambda case: case.n, 1.14),
    ],
)
def test_every_part_of_the_grid(name: str, part_of: Callable[[Case], float], bound: float) -> None:
    for value in sorted({part_of(case) for case in FILLED}):
        part = [case for case in FILLED if part_of(case) == value]
        assert error_factor(part) <= bound, (name, value)


@pytest.mark.slow
def test_what_fits() -> None:
    assert [case for case in BLANK if fits(case)] == []
    assert [case for case in FILLED if not fits(case)] == []


def curve_errors(source: str, sweep: tuple[int, ...] = SWEEP) -> list[float]:
    return [
        math.log(
            best_flops(int(row["m"]), int(row["block_size"]), float(row["density"]), sweep=sweep) / float(row["value"])
        )
        for row in measured(source)
        if row["method"] == "static_sparse"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "n_points", "bound"),
    [("ipu_density", 6, 1.04), ("ipu_block_size", 3, 1.04), ("ipu_feature_size", 4, 1.1)],
)
def test_curves(source: str, n_points: int, bound: float) -> None:
    errors = curve_errors(source)
    assert len(errors) == n_points
    assert math.exp(float(np.mean(np.abs(errors)))) <= bound


@pytest.mark.slow
def test_feature_size_whatever_the_largest_n_was() -> None:
    """The published sweep may have ended at 4096 or gone on to 65,536: the curve does not tell."""
    assert math.exp(float(np.mean(np.abs(curve_errors("ipu_feature_size", LONG_SWEEP))))) <= 1.07


@pytest.mark.slow
def test_printed_speed_ups() -> None:
    rows = [row for row in measured("static_vs_dynamic") if row["method"] == "static_sparse"]
    assert len(rows) == 4
    for row in rows:
        dtype = FORMATS[row["dtype"]]
        density = float(row["density"])
        ratio = best_flops(4096, int(row["block_size"]), density, dtype) / (best_dense_flops(4096, dtype) * density)
        assert ratio == pytest.approx(float(row["value"]), rel=0.15), row


@pytest.mark.slow
def test_wall_clock_of_element_sparsity() -> None:
    rows = [row for row in measured("SpMM.ipynb") if row["method"] == "static_sparse" and row["block_size"] == "1"]
    assert len(rows) == 5
    for row in rows:
        case = Case(4096, int(row["n"]), 1, float(row["density"]), FORMATS[row["dtype"]])
        outcome = static(case)
        assert outcome is not None
        rate = case.flops / outcome.cycles * BOW.clock_hz
        assert 1 <= rate / float(row["value"]) <= 1.15  # the measurement includes the loop round the product


def power_law(largest: int) -> tuple[float, float, float]:
    """Return the exponents of features, density and block size in the speed-up over dense, best over n for each."""
    rows, logs = [], []
    for m in (256, 512, 1024, 2048, 4096, 8192):
        for block_size in (1, 4, 8, 16):
            for density in (1 / 4, 1 / 8, 1 / 16, 1 / 32):
                if m <= largest:
                    rows.append((1.0, math.log(m), math.log(density), math.log(block_size)))
                    logs.append(math.log(best_flops(m, block_size, density) / (best_dense_flops(m) * density)))
    exponents = np.linalg.lstsq(np.array(rows), np.array(logs), rcond=None)[0][1:]
    return float(exponents[0]), float(exponents[1]), float(exponents[2])


@pytest.mark.slow
def test_power_law() -> None:
    assert power_law(4096) == pytest.approx((0.59, -0.54, 0.50), abs=0.05)
    assert power_law(8192) == pytest.approx((0.59, -0.54, 0.50), abs=0.1)
