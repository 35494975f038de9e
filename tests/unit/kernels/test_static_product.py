"""The kernels of static sparse products: each against a plain loop, and independence of the processor."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from ipusim.kernels.block_row import LANES
from ipusim.kernels.static_product import add_sources, multiply_runs, panel_columns, store_rows
from ipusim.kernels.workers import Workers

X86 = platform.machine() in ("x86_64", "AMD64")
AVX2_ONLY = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+f16c"}

RUNS = np.array([0, 2, 2, 5])
"""Partial rows of three runs, one of them empty."""
BLOCKS = np.array([0, 3, 4, 9, 10, 12])
"""Blocks of the five partial rows."""
COLS = np.array([0, 2, 5, 1, 0, 1, 3, 4, 5, 2, 2, 3])


def scattered(shape: tuple[int, ...], step: int = 2654435761) -> np.ndarray:
    """Return numbers in [-1, 1) on the grid of float16, the same everywhere."""
    words = np.arange(np.prod(shape), dtype=np.uint32) * np.uint32(step)
    numbers = (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1.0)
    return numbers.astype(np.float16).astype(np.float32).reshape(shape)


def half(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.float16).astype(np.float32)


def by_hand(values: np.ndarray, dense: np.ndarray, size: int, rounded: bool) -> np.ndarray:
    """Return the partial rows [5 * size, columns]; of halves: sums in float64 are exact before rounding."""
    out = np.zeros((5 * size, dense.shape[1]), np.float32)
    for row in range(5):
        sums = np.zeros((size, dense.shape[1]), np.float32)
        for block in range(BLOCKS[row], BLOCKS[row + 1]):
            lines = dense[COLS[block] * size : (COLS[block] + 1) * size].astype(np.float64)
            for inner in range(size):
                product = values[block][:, inner].astype(np.float64)[:, None] * lines[inner][None, :]
                sums = (sums.astype(np.float64) + product).astype(np.float32)
            if rounded and size > 1:
                sums = half(sums)
        out[row * size : (row + 1) * size] = half(sums) if rounded else sums
    return out


def multiply(
    values: np.ndarray, dense: np.ndarray, size: int, rounded: bool, transposed=False, threads=1
) -> np.ndarray:
    columns = dense.shape[1]
    width = panel_columns(size)
    edges = [(first, min(first + width, columns)) for first in range(0, columns, width)]
    boxes = [(0, 1, *cols, 0, len(dense)) if transposed else (0, 1, 0, len(dense), *cols) for cols in edges]
    stored = np.ascontiguousarray(dense.T if transposed else dense)[None]
    out = np.full((5 * size, columns), 7, np.float32)
    with Workers(threads) as workers:
        multiply_runs(
            np.ascontiguousarray(values).reshape(-1),
            COLS,
            BLOCKS,
            RUNS,
            stored,
            np.array(boxes, np.int64),
            transposed,
            out,
            np.array([first for first, _ in edges], np.int64),
            size,
            rounded,
            workers,
        )
    return out


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("size", [1, 4, 8, 16])
@pytest.mark.parametrize("columns", [1, 3, LANES, LANES + 1, 4 * LANES + 5, 9 * LANES])
def test_every_row_is_one_chain_of_multiply_adds(size: int, columns: int, rounded: bool) -> None:
    values, dense = scattered((12, size, size)), scattered((6 * size, columns), 40503)
    expected = by_hand(values, dense, size, rounded)
    for transposed in (False, True):
        assert np.array_equal(multiply(values, dense, size, rounded, transposed), expected)


@pytest.mark.parametrize("size", [1, 8])
def test_threads_change_no_byte(size: int) -> None:
    values, dense = scattered((12, size, size)), scattered((6 * size, 300), 40503)
    results = {multiply(values, dense, size, True, threads=threads).tobytes() for threads in (1, 2, 5)}
    assert len(results) == 1


def test_other_columns_of_the_partial_sums_are_left_alone() -> None:
    values, dense = scattered((12, 4, 4)), scattered((1, 24, 9), 40503)
    out = np.full((20, 30), 7, np.float32)
    box = np.array([[0, 1, 0, 24, 0, 9]])
    with Workers(1) as workers:
        multiply_runs(values.reshape(-1), COLS, BLOCKS, RUNS, dense, box, False, out, np.array([11]), 4, False, workers)
    assert np.array_equal(out[:, 11:20], by_hand(values, dense[0], 4, False))
    assert (out[:, :11] == 7).all()
    assert (out[:, 20:] == 7).all()


@pytest.mark.parametrize("rounded", [False, True])
def test_sources_are_added_in_their_order(rounded: bool) -> None:
    partials = scattered((10, 20))
    indptr, sources = np.array([0, 0, 3, 4, 5]), np.array([4, 0, 2, 3, 1])
    expected = partials.copy()
    for part in range(2):
        total = partials[8 + part, 3:17] + partials[part, 3:17] + partials[4 + part, 3:17]
        expected[8 + part, 3:17] = half(total) if rounded else total
    with Workers(2) as workers:
        add_sources(partials, indptr, sources, 2, 3, 17, rounded, workers)
    assert np.array_equal(partials, expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_rows_come_to_their_place_and_empty_ones_stay_as_they_are(transposed: bool) -> None:
    partials = scattered((40, 50)) * np.float32(1 / 3)
    indptr, sources = np.array([0, 0, *range(1, 20)]), np.arange(19)
    order = np.roll(np.arange(20), 7)
    out = np.full((40, 44), 7, np.float32)
    expected = out.copy()
    for row in range(1, 20):
        expected[2 * order[row] : 2 * order[row] + 2, 5:44] = half(partials[2 * (row - 1) : 2 * row, 6:45])
    stored = np.ascontiguousarray(out.T) if transposed else out
    place = (5 * 40, 1, 40) if transposed else (5, 44, 1)
    with Workers(2) as workers:
        store_rows(partials, indptr, sources, order, 2, (6, 45), stored.reshape(-1), place, True, workers)
    assert np.array_equal(stored.T if transposed else stored, expected)


def digest() -> str:
    """Return a digest of products with overflow, infinities and NaN in them, for all block sizes and both formats."""
    found = hashlib.sha256()
    for size in (1, 4, 8, 16):
        for rounded in (False, True):
            values, dense = scattered((12, size, size)), scattered((6 * size, 75), 40503)
            values[0, 0, 0], values[4, 0] = np.inf, 6e4
            dense[0, 2], dense[2 * size, 3] = -np.inf, np.inf
            dense[size, 4:40] *= 6e4
            found.update(multiply(values, dense, size, rounded).tobytes())
    return found.hexdigest()


def test_the_bytes_are_these_on_every_machine() -> None:
    assert digest() == "8a55495223b4eb2742a749ec0715d250850b47f8a07db231dfd341283d798f9f"


@pytest.mark.skipif(not X86, reason="names processors of x86")
def test_the_bytes_are_the_same_without_wide_vectors(tmp_path) -> None:
    environment = {**os.environ, **AVX2_ONLY, "IPUSIM_CACHE_DIR": str(tmp_path)}
    found = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == digest(), found.stderr


if __name__ == "__main__":
    print(digest())
