"""Values of input tensors: distributions, reproducibility, files."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.errors import BadInputError
from ipusim.frontends.values import LARGEST_NORMAL, tensor_values
from ipusim.ir.tensor import Init, Tensor

KINDS = [Init("normal", 0.5), Init("uniform", 2.0), Init("zeros"), Init("ones")]


def tensor(init: Init, shape: tuple[int, ...] = (50, 40), dtype: str = "float32", name: str = "w") -> Tensor:
    return Tensor(name, shape, dtype, init)


def digest(values: np.ndarray) -> int:
    return crc32(values.astype("<f4").tobytes())


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("init", KINDS, ids=lambda init: init.kind)
def test_form(init: Init, dtype: str) -> None:
    values = tensor_values(tensor(init, (5, 3, 7), dtype), 0)
    assert values.shape == (5, 3, 7)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, values.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("init", "dtype", "expected"),
    [
        (Init("normal"), "float32", 0x780E67AF),
        (Init("normal", 0.02), "float16", 0x08D1F017),
        (Init("uniform", 3.0), "float32", 0xC6475B40),
        (Init("uniform"), "float16", 0x8D38DBB1),
    ],
)
def test_bytes_are_those_of_every_other_machine(init: Init, dtype: str, expected: int) -> None:
    """Digests of 70,000 values. A change breaks the promise that a file and a seed give the same bytes for ever."""
    assert digest(tensor_values(tensor(init, (70000,), dtype, "weights"), 42)) == expected


def test_values_one_by_one() -> None:
    """The definition, word by word: low half of each 64-bit number first, slices of equal probability."""
    raw = np.random.PCG64(np.random.SeedSequence([9, crc32(b"w")])).random_raw(100)
    words = [int(half) for number in raw for half in (number & 0xFFFFFFFF, number >> 32)]

    def bound(index: int) -> float:
        probability = min(max(index / 4096, 2.0**-15), 1 - 2.0**-15)
        return round(NormalDist().inv_cdf(probability) * 2**20) / 2**20

    uniform = tensor_values(tensor(Init("uniform"), (200,)), 9)
    normal = tensor_values(tensor(Init("normal"), (200,)), 9)
    for word, flat, bell in zip(words, uniform, normal, strict=True):
        assert flat == (word >> 8) / 2**23 - 1
        low, high = bound(word >> 20), bound((word >> 20) + 1)
        inside = ((word % 2**20) + 0.5) / 2**20
        assert bell == np.float32(np.float32(inside * (high - low)) + np.float32(low))


def test_stream_depends_on_seed_and_name_only() -> None:
    init = Init("normal")
    first = tensor_values(tensor(init, (6, 4)), 1)
    np.testing.assert_array_equal(first, tensor_values(tensor(init, (6, 4)), 1))
    np.testing.assert_array_equal(first.ravel(), tensor_values(tensor(init, (24,)), 1))
    assert not np.array_equal(first, tensor_values(tensor(init, (6, 4)), 2))
    assert not np.array_equal(first, tensor_values(tensor(init, (6, 4), name="x"), 1))


@given(st.integers(0, 2**63 - 1), st.integers(1, 200))
def test_a_shorter_tensor_is_the_beginning_of_a_longer_one(seed: int, count: int) -> None:
    longer = tensor_values(tensor(Init("uniform"), (200,)), seed)
    np.testing.assert_array_equal(tensor_values(tensor(Init("uniform"), (count,)), seed), longer[:count])


def test_normal_is_normal() -> None:
    """Every probability within five standard errors of a million draws; moments likewise."""
    count = 1_000_000
    values = np.sort(tensor_values(tensor(Init("normal"), (count,)), 3).astype(np.float64))
    assert abs(values.mean()) < 5 / math.sqrt(count)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 5 * math.sqrt(96 / count)
    assert np.abs(values).max() <= LARGEST_NORMAL
    for probability in (0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999):
        below = np.searchsorted(values, NormalDist().inv_cdf(probability)) / count
        assert abs(below - probability) < 5 * math.sqrt(probability * (1 - probability) / count)


def test_uniform_is_uniform() -> None:
    count = 1_000_000
    values = tensor_values(tensor(Init("uniform", 2.0), (count,)), 3).astype(np.float64)
    assert values.min() >= -2
    assert values.max() < 2
    for edge in (-1.9, -1.0, 0.0, 0.5, 1.5):
        probability = (edge + 2) / 4
        assert abs((values < edge).mean() - probability) < 5 * math.sqrt(probability * (1 - probability) / count)


def test_neighbouring_values_are_not_correlated() -> None:
    values = tensor_values(tensor(Init("normal"), (1_000_000,)), 3).astype(np.float64)
    for distance in (1, 2, 3, 65536):
        assert abs((values[:-distance] * values[distance:]).mean()) < 5 / math.sqrt(len(values) - distance)


def test_scale_is_a_factor() -> None:
    once, scaled = (tensor_values(tensor(Init("normal", scale)), 0) for scale in (1.0, 0.25))
    np.testing.assert_array_equal(once * np.float32(0.25), scaled)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"values.{suffix}"
    stored = np.arange(6, dtype=np.float64).reshape(2, 3) / 7
    if suffix == "npy":
        np.save(path, np.asfortranarray(stored))
    else:
        np.savez_compressed(path, w=stored, other=np.zeros(3))
    values = tensor_values(tensor(Init("file", file=str(path)), (2, 3), "float16"), 0)
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, stored.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((3, 2)), "has shape [3, 2], but w is [2, 3]"),
        (np.full((2, 3), np.nan), "holds NaN, infinities or values beyond float32"),
        (np.full((2, 3), 1e39), "holds NaN, infinities or values beyond float32"),
        (np.full((2, 3), 1e5), "holds values beyond the range of float16"),
        (np.full((2, 3), 1j), "holds complex128 instead of real numbers"),
    ],
)
def test_wrong_files(tmp_path: Path, stored: np.ndarray, message: str) -> None:
    path = tmp_path / "w.npy"
    np.save(path, stored)
    with pytest.raises(BadInputError) as caught:
        tensor_values(tensor(Init("file", file=str(path)), (2, 3), "float16"), 0)
    assert str(caught.value) == f"{path}: w: {message}"
