"""The static sparse vertices against the published library's own numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ipusim.codelets.registry import codelet
from ipusim.codelets.static_block import needs_zeroing, static_block_cycles, static_zeroing_cycles
from ipusim.codelets.static_element_wise import static_element_wise_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "static_sparse.csv"
GOLDEN = [
    # type, block size, rows per worker (1) or per tile, non-zeros per row, columns, cycles: reference/sparse.md 6.5
    ("half", 1, 10, 5, 4, 1086),
    ("half", 1, 10, 5, 8, 1386),
    ("half", 1, 10, 5, 16, 3978),
    ("half", 1, 10, 5, 20, 4998),
    ("float", 1, 10, 5, 4, 1260),
    ("half", 4, 4, 3, 8, 1976),
    ("half", 8, 4, 3, 8, 2600),
    ("half", 16, 4, 3, 8, 4544),
    ("float", 8, 4, 3, 8, 6248),
    ("float", 16, 4, 3, 8, 15410),
    ("float", 16, 4, 3, 1, 6194),
]


def vectors(kind: str) -> list[dict[str, str]]:
    with VECTORS.open() as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


def matmul_cycles(float_input: bool, block: int, m: int, k: int, n: int, compile_first: bool) -> int:
    if block == 1:
        formula = compiled(static_element_wise_cycles) if compile_first else static_element_wise_cycles
        return formula(m, m * k, n, float_input, 6)
    block_formula = compiled(static_block_cycles) if compile_first else static_block_cycles
    return block_formula(m, m * k, n, block, float_input, 6, 8)


@pytest.mark.parametrize("compile_first", [False, True])
def test_all_published_vectors(compile_first: bool) -> None:
    rows = vectors("matmul")
    assert len(rows) == 87
    for row in rows:
        m, k, n = int(row["m"]), int(row["k"]), int(row["n"])
        cycles = matmul_cycles(row["type"] == "float", int(row["block"]), m, k, n, compile_first)
        assert cycles == int(row["cycles"]), row


@pytest.mark.parametrize(("dtype", "block", "m", "k", "n", "cycles"), GOLDEN)
def test_golden_values(dtype: str, block: int, m: int, k: int, n: int, cycles: int) -> None:
    assert matmul_cycles(dtype == "float", block, m, k, n, compile_first=False) == cycles


def zeroing_cycles(row: dict[str, str]) -> int:
    """Zeroing of elements of any type, as the library's estimator has it: the planner calls it for float32 only."""
    elements = int(row["m"]) * int(row["block"]) * int(row["n"])
    return static_zeroing_cycles(elements if row["type"] == "float" else elements // 2, 6)


def test_zeroing_vectors() -> None:
    rows = vectors("zeroing")
    assert len(rows) == 10
    for row in rows:
        assert zeroing_cycles(row) == int(row["cycles"]), row


def test_only_wide_float_blocks_are_zeroed() -> None:
    assert [needs_zeroing(block, True) for block in (1, 4, 8, 16)] == [False, False, True, True]
    assert not needs_zeroing(16, False)


class Chip:
    worker_contexts = 6
    amp_load_bytes_per_cycle = 8
    interleaved_load_bytes = 16
    amp_modes = ()
    amp_block4_fraction = amp_block8_fraction = amp_block16_fraction = 0.0
    gather_units = 0
    gather_bytes_per_cycle = 8


def test_registered_codelets_call_the_formulas() -> None:
    fields = {"worker_rows": 10, "worker_non_zeros": 50, "worker_cols": 16}
    assert codelet("static_element_wise").cycles(fields, {"inputs": "float16", "partials": "float16"}, Chip()) == 3978
    fields = {"rows": 4, "blocks": 12, "cols": 48, "worker_cols": ceil_div(48, 6)}
    half = {"inputs": "float16", "partials": "float16", "block_size": 16}
    assert codelet("static_block").cycles(fields, half, Chip()) == 4544
    float32 = {"inputs": "float32", "partials": "float32", "block_size": 16}
    assert codelet("static_block").cycles(fields, float32, Chip()) == 15410 + static_zeroing_cycles(4 * 16 * 48, 6)
