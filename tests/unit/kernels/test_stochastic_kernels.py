"""Stochastic rounding inside of kernels against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.engine.rounding import grid_of
from ipusim.formats import random_words, round_stochastic, round_to_format, round_to_scale
from ipusim.ir.regions import Regions, whole_boxes
from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.rounding import round_regions
from ipusim.kernels.static_product import multiply_runs
from ipusim.kernels.workers import Workers

KEY = 0xF234567812345678


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(((left.view(np.uint32) == right.view(np.uint32)) | (np.isnan(left) & np.isnan(right))).all())


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fnuz", "float8_e5m2fnuz"])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_regions_are_rounded_as_the_definition_says(name: str, scale: float) -> None:
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((2, 9, 33)) * np.exp2(rng.integers(-30, 20, (2, 9, 33)))).astype(np.float32)
    values[0, 0, :8] = [0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e-40, 65519]
    words = random_words(KEY, np.arange(values.size, dtype=np.uint32)).reshape(values.shape)
    box = np.array([[0, 2, 0, 4, 0, 33], [0, 2, 4, 12, 0, 40]])
    for threads in (1, 2):
        nearest, drawn = values.copy(), values.copy()
        with Workers(threads) as workers:
            round_regions(nearest, whole_boxes(box), grid_of(name, scale), False, 0, workers)
            round_regions(drawn, whole_boxes(box), grid_of(name, scale), True, KEY, workers)
        assert same(nearest, round_to_scale(values, name, scale))
        assert same(drawn, round_stochastic(values, name, words, scale))


def test_only_the_run_of_a_region_is_rounded() -> None:
    values = np.full((1, 4, 5), 1.0001, np.float32)
    regions = Regions(np.array([[0, 1, 1, 3, 0, 5]]), np.array([2]), np.array([7]))
    with Workers(1) as workers:
        round_regions(values, regions, grid_of("float8_e4m3fnuz"), False, 0, workers)
    assert np.flatnonzero(values.ravel() == 1.0).tolist() == [7, 8, 9, 10, 11]


def chained(left: np.ndarray, right: np.ndarray, group: int) -> np.ndarray:
    """Return a product whose sums are rounded stochastically after every group of products."""
    total = np.zeros((len(left), right.shape[1]), np.float32)
    index = np.arange(total.size, dtype=np.uint32).reshape(total.shape)
    for step, start in enumerate(range(0, left.shape[1], group)):
        for depth in range(start, min(start + group, left.shape[1])):
            product = left[:, depth, None].astype(np.float64) * right[None, depth].astype(np.float64)
            total = (product + total).astype(np.float32)
        total = round_stochastic(total, "float16", random_words(KEY, index, step))
    return total


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_sums_of_a_dense_product(scale: float) -> None:
    rng = np.random.default_rng(1)
    left = round_to_format(rng.standard_normal((29, 500)) * scale, "float16")
    right = round_to_format(rng.standard_normal((500, 53)), "float16")
    out = np.zeros((1, 29, 53), np.float32)
    rows = np.array([[0, 1, 0, 17, 0, 500], [0, 1, 17, 29, 0, 500]])
    results = np.array([[0, 1, 0, 17, 0, 53], [0, 1, 17, 29, 0, 53]])
    with Workers(2) as workers:
        multiply_boxes(
            left[None], right[None], out, rows, np.array([[0, 1, 0, 500, 0, 53]] * 2), results, workers,
            round_every=16, key=KEY,
        )  # fmt: skip
    assert same(out[0], chained(left, right, 16))


def test_sums_of_a_sparse_product() -> None:
    rng = np.random.default_rng(2)
    left = round_to_format(rng.standard_normal((4, 32)), "float16")
    right = round_to_format(rng.standard_normal((32, 21)), "float16")
    blocks = np.ascontiguousarray(left.reshape(4, 8, 4).transpose(1, 0, 2)).reshape(-1)
    out = np.zeros((4, 21), np.float32)
    with Workers(1) as workers:
        multiply_runs(
            blocks, np.arange(8), np.array([0, 8]), np.array([0, 1]), right[None], np.array([[0, 1, 0, 32, 0, 21]]),
            False, out, np.array([0]), 4, True, workers, key=KEY,
        )  # fmt: skip
    assert same(out, chained(left, right, 4))
