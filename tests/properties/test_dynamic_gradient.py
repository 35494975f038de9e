"""Gradients of dynamic weights are the same whatever the pattern, the partition, the layout and the threads."""

import numpy as np
import pytest
from gradient_by_hand import Stored, dynamic_gradient_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from static_by_hand import KINDS, halves, integers, pattern, patterns

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.engine.charges import Charges
from ipusim.engine.check import OpChecker
from ipusim.engine.timing import time_program
from ipusim.plan.dynamic_executed_grad_w import executed_grad_w
from ipusim.plan.dynamic_partition import BucketOverflowError
from ipusim.sparse.blocks import transpose_blocks

BOW = load_chip("bow")
ONE = BOW.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
CHIPS = [ONE, *(BOW.replace(n_tiles=tiles) for tiles in (2, 16, 70)), load_chip("tiny")]
FORMATS = [("float16", "float16"), ("float16", "float32"), ("float32", "float32")]
WORK_ONLY = DynamicOverheads(0, 0, 0, 0, 0, 0, 0)
NO_CHARGES = Charges(0, 0, 0, 0, 0, True)

chips = st.sampled_from(CHIPS)
formats = st.sampled_from(FORMATS)
sizes = st.sampled_from([1, 4, 8, 16])
storages = st.builds(Stored, st.booleans(), st.booleans(), st.sampled_from([(), (), (3,)]))
parts = st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 2, 3, 5]))
columns = st.one_of(st.integers(1, 40), st.sampled_from([16, 32, 48]))


def case_or_reject(*args, **options):
    """Return a case; reject the example if its pattern does not fit the buckets."""
    try:
        return dynamic_gradient_case(*args, **options)
    except BucketOverflowError:
        assume(False)


@settings(max_examples=60)
@given(
    patterns(), columns, chips, formats, storages, parts, st.sampled_from([0.0, 0.3, 2.0]), st.booleans(), st.booleans()
)
def test_integers_are_multiplied_exactly(blocks, n, chip, pair, stored, partition, oversize, turned, buckets):
    case = case_or_reject(
        blocks, n, chip, *pair, stored, partition=partition, oversize=oversize, turned=turned, buckets=buckets
    )
    values = case.values(integers(n))
    assert np.array_equal(case.run(values), case.expected(values))


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12), sizes, columns, chips, formats, storages, parts, st.booleans())
def test_every_value_is_within_the_bounds_of_its_formats(rows, cols, size, n, chip, pair, stored, partition, buckets):
    blocks = pattern("all", rows, cols, size)
    case = dynamic_gradient_case(blocks, n, chip, *pair, stored, partition=partition, buckets=buckets)
    values = case.values(halves(n))
    checker = OpChecker(case.graph, case.program)
    case.run(values, verify=True, after_op=checker.after_op)
    check = checker.result()
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@settings(max_examples=50)
@given(patterns(), columns, chips, formats, parts, st.sampled_from([0.0, 0.3, 2.0]), st.booleans(), st.booleans())
def test_program_and_executed_cost_agree(blocks, n, chip, pair, partition, oversize, turned, buckets):
    case = case_or_reject(
        blocks, n, chip, *pair, partition=partition, oversize=oversize, turned=turned, buckets=buckets
    )
    trace = time_program(case.program, chip, NO_CHARGES)
    executed = executed_grad_w(case.plan.placement, WORK_ONLY)
    assert trace.cycles == executed.total + trace.terms().get("control", 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
@pytest.mark.parametrize("buckets", [False, True])
def test_every_partition_gives_the_same_integers(kind, block_size, buckets):
    blocks = pattern(kind, 9, 12, block_size, seed=5)
    chip = BOW.replace(n_tiles=48)
    for partition in ((1, 1, 1), (3, 4, 1), (9, 1, 3), (1, 12, 2), (3, 3, 3), (0, 0, 0)):
        case = dynamic_gradient_case(blocks, 24, chip, partition=partition, oversize=3.0, buckets=buckets)
        values = case.values(integers(7))
        assert np.array_equal(case.run(values), case.expected(values)), partition


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("kind", "partition", "along_rows"),
    [("col", (4, 6, 2), False), ("corner", (6, 6, 2), True), ("row", (6, 4, 1), True), ("row", (6, 4, 3), True)],
)
@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_what_overflows_comes_home(block_size, kind, partition, along_rows, turned):
    scale = 4 if block_size == 1 else 1
    blocks = pattern(kind, 24 * scale, 24 * scale, block_size)
    blocks = transpose_blocks(blocks) if turned else blocks
    case = dynamic_gradient_case(blocks, 24, BOW, partition=partition, oversize=0.0, turned=turned)
    assert case.plan.placement.propagation_steps > 0
    assert (case.plan.placement.extent[0] > 1) == along_rows
    values = case.values(integers(7))
    found = case.run(values, verify=True)
    assert np.array_equal(found, case.expected(values))
    assert case.run(values, threads=5).tobytes() == found.tobytes()


@pytest.mark.parametrize("buckets", [False, True])
@pytest.mark.parametrize("pair", FORMATS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_the_number_of_threads_changes_no_byte(block_size, pair, buckets):
    case = dynamic_gradient_case(pattern("corner", 20, 24, block_size, seed=3), 144, BOW, *pair, buckets=buckets)
    values = case.values(halves(1))
    one = case.run(values, threads=1)
    assert [case.run(values, threads=threads).tobytes() == one.tobytes() for threads in (2, 3, 5)] == [True] * 3
