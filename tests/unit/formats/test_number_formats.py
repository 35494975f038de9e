"""Number formats against numpy's and ml_dtypes' own types."""

from __future__ import annotations

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ipusim.formats import format_names, number_format, round_to_format

ORACLES = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}
NAMES = sorted(ORACLES)


def oracle(values: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(ORACLES[name]).astype(np.float32)


def assert_same(values: np.ndarray, name: str) -> None:
    got, expected = round_to_format(values, name), oracle(values, name)
    assert got.dtype == np.float32
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    kept = ~np.isnan(expected)
    assert np.array_equal(got.view(np.uint32)[kept], expected.view(np.uint32)[kept])


def test_every_format_has_an_oracle():
    assert set(format_names()) == set(ORACLES)


@pytest.mark.parametrize("name", NAMES)
def test_fields_agree_with_the_oracle(name):
    found, info = number_format(name), ml_dtypes.finfo(ORACLES[name])
    assert found.name == name
    assert found.bits == info.bits
    assert found.significand_bits == info.nmant + 1
    assert found.max == float(info.max)
    assert found.smallest_normal == float(info.smallest_normal)
    assert found.smallest_subnormal == float(info.smallest_subnormal)
    assert found.unit_roundoff == 2.0 ** -(info.nmant + 1)
    assert found.max == (2.0 - 2.0**-info.nmant) * 2.0**found.max_exponent


@pytest.mark.parametrize("name", NAMES)
@given(bits=arrays(np.uint32, st.integers(1, 40), elements=st.integers(0, 2**32 - 1)))
def test_rounding_of_any_bit_pattern(name, bits):
    assert_same(bits.view(np.float32), name)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "float32"])
def test_rounding_at_every_tie_and_beside_it(name):
    """Every number of the format, every midpoint between neighbours, and the float32 on either side of each."""
    target = number_format(name)
    codes = np.arange(2**target.bits, dtype=f"u{target.bytes}")
    with np.errstate(invalid="ignore"):
        grid = codes.view(ORACLES[name]).astype(np.float32)
    grid = np.unique(grid[np.isfinite(grid)])
    past = np.float32(2.0 * target.max - float(grid[-2])) if 2.0 * target.max < 3e38 else grid[-1]
    grid = np.concatenate([[-past], grid, [past]])
    middle = ((grid[1:].astype(np.float64) + grid[:-1]) / 2).astype(np.float32)
    points = np.concatenate([grid, middle, [np.inf, -np.inf, np.nan, -0.0]]).astype(np.float32)
    with np.errstate(over="ignore"):
        near = [np.nextafter(points, np.float32(side)) for side in (-np.inf, np.inf)]
    assert_same(np.concatenate([points, *near]), name)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_twice_changes_nothing_and_inputs_are_left_alone(name):
    values = np.random.default_rng(1).normal(size=(3, 5, 7)).astype(np.float32)
    before = values.copy()
    once = round_to_format(values, name)
    assert np.array_equal(values, before)
    assert not np.shares_memory(once, values)
    assert once.shape == values.shape
    assert np.array_equal(round_to_format(once, name), once)


def test_scalars_and_lists_are_accepted():
    assert round_to_format(1.0 / 3.0, "float16") == np.float32(np.float16(1.0 / 3.0))
    assert round_to_format([1e9, -1e9], "float16").tolist() == [np.inf, -np.inf]


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match=r"no number format 'float61' \(did you mean 'float16'\?\); there are bfloat16"):
        number_format("float61")
    with pytest.raises(KeyError, match="no number format 'rounding'"):
        round_to_format([1.0], "rounding")


def test_formats_do_not_load_numba():
    code = "import sys, ipusim.formats as f; f.round_to_format([1.0], 'bfloat16'); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_whole_numbers_are_exact_up_to_their_limit() -> None:
    whole = number_format("int32")
    assert "int32" not in format_names()
    assert whole.bytes == 4
    assert whole.smallest_subnormal == 1.0
    found = round_to_format([0.0, 3.0, -7.4, 2.5, 2.0**24 - 1, 2.0**24, np.inf], "int32")
    np.testing.assert_array_equal(found, [0.0, 3.0, -7.0, 2.0, 2.0**24 - 1, np.nan, np.nan])
