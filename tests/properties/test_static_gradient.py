"""Gradients of static weights are the same whatever the pattern, the split, the layout and the threads."""

import numpy as np
import pytest
from gradient_by_hand import Stored, static_gradient_case
from hypothesis import given, settings
from hypothesis import strategies as st
from static_by_hand import KINDS, halves, integers, pattern, patterns

from ipusim.chip.load import load_chip
from ipusim.engine.check import OpChecker
from ipusim.engine.memory import map_memory
from ipusim.plan.static_slices import slice_bytes, slice_numbers

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


def in_slices(case, blocks, n, chip, pair, stored, number):
    """Return a bound on memory that asks for so many slices, or for all that there can be, and the case within it."""
    forward, partials = case.plan.forward, case.plan.problem.partials_format
    bounds = []
    for amp in (False, True) if blocks.block_size > 1 else (False,):
        numbers = list(slice_numbers(forward.partition, amp))
        most = numbers[min(number, len(numbers)) - 1]
        bounds.append(slice_bytes(forward.partition, most, partials, amp, chip.n_tiles))
    splits = forward.split.n_splits, forward.split.n_bands
    return min(bounds), static_gradient_case(
        blocks, n, chip, *pair, stored, *splits, bound_bytes=min(bounds), may_relax=False
    )


@settings(max_examples=40)
@given(patterns(), columns, chips, formats, storages, st.integers(1, 6))
def test_slices_change_no_value_and_keep_within_the_bound(blocks, n, chip, pair, stored, number):
    case = static_gradient_case(blocks, n, chip, *pair, stored)
    bound, cut = in_slices(case, blocks, n, chip, pair, stored, number)
    assert cut.plan.temporary_bytes <= bound
    values = case.values(integers(n))
    assert np.array_equal(cut.run(values, verify=True), cut.expected(values))
    held = [item for item in map_memory(cut.program, chip).allocations if item.category in ("operands", "partials")]
    multiplying = [index for index, (step, _) in enumerate(cut.program.supersteps()) if "/multiply" in step.name]
    for index in range(multiplying[-1] + 1 if multiplying else 0):
        here = sum(item.bytes_on_tile for item in held if item.first <= index <= item.last and item.last != item.first)
        assert np.max(here, initial=0) <= bound


@pytest.mark.parametrize("pair", FORMATS)
@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_slices_are_within_the_bounds_of_their_formats(block_size, pair):
    blocks = pattern("all", 9, 12, block_size)
    whole = static_gradient_case(blocks, 144, BOW, *pair, n_splits=2)
    _, case = in_slices(whole, blocks, 144, BOW, pair, Stored(), 4)
    assert case.plan.n_slices > 1
    checker = OpChecker(case.graph, case.program)
    values = case.values(halves(2))
    one = case.run(values, threads=1, verify=True, after_op=checker.after_op)
    assert checker.result()["passed"]
    assert case.run(values, threads=3).tobytes() == one.tobytes()
