"""Gradients of static weights are the same whatever the pattern, the split, the layout and the threads."""

import numpy as np
import pytest
from gradient_by_hand import Stored, static_gradient_case
from hypothesis import given, settings
from hypothesis import strategies as st
from static_by_hand import KINDS, halves, integers, pattern, patterns

from ipusim.chip.load import load_chip
from ipusim.engine.check import OpChecker

BOW = load_chip("bow")
ONE = BOW.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
CHIPS = [ONE, *(BOW.replace(n_tiles=tiles) for tiles in (2, 16, 70)), load_chip("tiny")]
FORMATS = [("float16", "float16"), ("float16", "float32"), ("float32", "float32")]

chips = st.sampled_from(CHIPS)
formats = st.sampled_from(FORMATS)
storages = st.builds(Stored, st.booleans(), st.booleans(), st.sampled_from([(), (), (3,)]))
splits = st.tuples(st.sampled_from([0, 1, 2, 5]), st.sampled_from([0, 1, 3]))
columns = st.one_of(st.integers(1, 40), st.sampled_from([16, 32, 96]))


@settings(max_examples=60)
@given(patterns(), columns, chips, formats, storages, splits, st.booleans())
def test_integers_are_multiplied_exactly(blocks, n, chip, pair, stored, split, turned):
    case = any_split(blocks, n, chip, *pair, stored, *split, turned)
    values = case.values(integers(n))
    assert np.array_equal(case.run(values), case.expected(values))


def any_split(blocks, n, chip, dtype, partials, stored, n_splits, n_bands, turned):
    """Return a case with the split, or with the search's where the sizes do not allow it."""
    try:
        return static_gradient_case(blocks, n, chip, dtype, partials, stored, n_splits, n_bands, turned)
    except AttributeError:
        return static_gradient_case(blocks, n, chip, dtype, partials, stored, turned=turned)


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 4, 8, 16]), columns, chips, formats, storages)
def test_every_value_is_within_the_bounds_of_its_formats(rows, cols, size, n, chip, pair, stored):
    case = static_gradient_case(pattern("all", rows, cols, size), n, chip, *pair, stored)
    values = case.values(halves(n))
    checker = OpChecker(case.graph, case.program)
    case.run(values, verify=True, after_op=checker.after_op)
    check = checker.result()
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
@pytest.mark.parametrize("turned", [False, True])
def test_awkward_patterns_reach_no_tile_without_their_operands(kind, block_size, turned):
    case = static_gradient_case(pattern(kind, 9, 12, block_size, seed=5), 64, BOW, turned=turned)
    values = case.values(integers(7))
    assert np.array_equal(case.run(values, verify=True), case.expected(values))


@pytest.mark.parametrize("pair", FORMATS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_the_number_of_threads_changes_no_byte(block_size, pair):
    case = static_gradient_case(pattern("corner", 20, 24, block_size, seed=3), 144, BOW, *pair)
    values = case.values(halves(1))
    one = case.run(values, threads=1)
    assert [case.run(values, threads=threads).tobytes() == one.tobytes() for threads in (2, 3, 5)] == [True] * 3
