"""Stochastic rounding and scales: neighbours, means, and the same bits whatever the order."""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.formats import number_format, random_words, round_stochastic, round_to_format, round_to_scale, scale_of
from ipusim.formats.scale import automatic_scale, is_scale

NARROW = ("float16", "bfloat16", "float8_e4m3fnuz", "float8_e5m2fnuz")


@cache
def numbers(name: str) -> np.ndarray:
    """Return all finite numbers of a format, ascending: float64 array."""
    kind = np.dtype(getattr(ml_dtypes, name, name))
    codes = np.arange(1 << 8 * kind.itemsize).astype(f"u{kind.itemsize}")
    with np.errstate(invalid="ignore"):
        values = codes.view(kind).astype(np.float64)
    return np.unique(values[np.isfinite(values)])


def neighbours(value: float, name: str) -> set[float]:
    """Return the numbers of a format next to a value, or the value itself if it is one."""
    grid = numbers(name)
    at = int(np.searchsorted(grid, value))
    return {float(grid[at])} if grid[at] == value else {float(grid[at - 1]), float(grid[at])}


@pytest.mark.parametrize("name", NARROW)
@given(
    value=st.floats(-200.0, 200.0, width=32) | st.floats(-(2.0**-9), 2.0**-9, width=32), word=st.integers(0, 2**32 - 1)
)
def test_a_value_becomes_one_of_its_neighbours(name: str, value: float, word: int) -> None:
    got = float(round_stochastic(np.float32(value), name, np.uint32(word)))
    assert got in neighbours(value, name)


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.875])
@pytest.mark.parametrize("subnormal", [False, True])
def test_the_mean_is_exact(name: str, fraction: float, subnormal: bool) -> None:
    number = number_format(name)
    if subnormal and number.min_exponent == -126:
        pytest.skip("its subnormals are those of float32")
    spacing = number.smallest_subnormal if subnormal else 2.0 ** (1 - number.significand_bits)
    low = spacing if subnormal else 1.0
    n = 1 << 16
    words = random_words(5, np.arange(n, dtype=np.uint32))
    got = round_stochastic(np.full(n, low + fraction * spacing, np.float32), name, words)
    mean = ((got.astype(np.float64) - low) / spacing).mean()
    assert abs(mean - fraction) < 5 * np.sqrt(fraction * (1 - fraction) / n)


@pytest.mark.parametrize("name", NARROW)
def test_numbers_of_the_format_stay(name: str) -> None:
    values = round_to_format(np.random.default_rng(1).normal(size=999).astype(np.float32), name)
    words = random_words(1, np.arange(999, dtype=np.uint32))
    assert np.array_equal(round_stochastic(values, name, words), values)
    special = np.array([np.inf, -np.inf, np.nan, 0.0], np.float32)
    got = round_stochastic(special, name, words[:4])
    assert np.isnan(got[2])
    assert got[3] == 0
    assert np.array_equal(np.isnan(got[:2]), [number_format(name).overflow == "nan"] * 2)


def test_random_bits_follow_from_key_element_and_step() -> None:
    index = np.arange(1 << 16, dtype=np.uint32)
    words = random_words(77, index)
    assert np.array_equal(random_words(77, index[::-1])[::-1], words)
    assert len(np.unique(words)) == len(words)
    others = [random_words(78, index), random_words(77 + (1 << 32), index), random_words(77, index, 1)]
    for other in others:
        assert abs(np.corrcoef(words.astype(float), other.astype(float))[0, 1]) < 0.02
    assert words[:3].tolist() == [1152225143, 618568267, 3160368405]


@given(st.floats(1e-9, 1e9))
def test_the_automatic_scale_is_the_smallest_that_holds_the_largest_value(largest: float) -> None:
    for name in NARROW[2:]:
        scale = automatic_scale(largest, name)
        assert is_scale(scale)
        limit = number_format(name).max
        assert largest / scale <= limit or scale == 2.0**31
        assert largest / scale > limit / 2 or scale == 2.0**-32


def test_scaled_values_are_exact_multiples() -> None:
    values = np.random.default_rng(2).normal(0, 1e-3, 1000).astype(np.float32)
    for name in NARROW[2:]:
        scale = scale_of(values, name)
        got = round_to_scale(values, name, "auto")
        assert np.array_equal(got, round_to_format(values / np.float32(scale), name) * np.float32(scale))
        assert np.abs(got - values).sum() < np.abs(round_to_format(values, name) - values).sum()
    assert not is_scale(3.0)
    assert not is_scale(0.0)
    assert not is_scale(2.0**40)
    assert automatic_scale(0.0, "float8_e4m3fnuz") == 1.0
