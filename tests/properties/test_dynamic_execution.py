"""Dynamic sparse matmuls compute the same whatever the pattern, the partition, the layout, the pass and the threads."""

import numpy as np
import pytest
import scipy.sparse
from dynamic_by_hand import dynamic_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from static_by_hand import KINDS, Layout, halves, integers, layouts, pattern, patterns

from ipusim.chip.load import load_chip
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.engine.charges import Charges
from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.plan.dynamic_executed import executed_pass
from ipusim.plan.dynamic_partition import BucketOverflowError
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions
from ipusim.sparse.blocks import transpose_blocks

BOW = load_chip("bow")
TINY = load_chip("tiny")
FORMATS = [("float16", "float16"), ("float16", "float32"), ("float32", "float32")]
ONE = BOW.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
CHIPS = [ONE, *(BOW.replace(n_tiles=tiles) for tiles in (2, 16, 70)), TINY]
GAPS_ONLY = Charges(0, 0, 0, 0, 0, True, 100)
WORK_ONLY = DynamicOverheads(0, 0, 100, 0, 0, 0, 0)

chips = st.sampled_from(CHIPS)
formats = st.sampled_from(FORMATS)
parts = st.tuples(st.sampled_from([0, 1, 2, 3, 5]), st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 2, 3]))
oversizes = st.sampled_from([0.0, 0.1, 0.3, 2.0])


def product(case, values):
    """Return the product as SciPy computes it, in the shape of the result."""
    left, right = case.operands(values)
    if case.graph.ops[0].inputs[0] == "w":
        sparse = scipy.sparse.csr_matrix(left)
        result = np.stack([sparse @ batch for batch in right.reshape(-1, *right.shape[-2:])])
    else:
        sparse = scipy.sparse.csc_matrix(right)
        result = np.stack([batch @ sparse for batch in left.reshape(-1, *left.shape[-2:])])
    return result.reshape(case.graph.tensors["y"].shape)


def run(case, values, threads=2, verify=False, after_op=None):
    found = execute_program(case.program, values, threads=threads, verify=verify, after_op=after_op)["y"]
    return found.reshape(case.graph.tensors["y"].shape)


def case_or_reject(*args, **options):
    """Return a case; reject the example if its pattern does not fit the buckets."""
    try:
        return dynamic_case(*args, **options)
    except BucketOverflowError:
        assume(False)


@settings(max_examples=150)
@given(patterns(), st.integers(1, 40), chips, formats, layouts, parts, oversizes, st.booleans())
def test_integers_are_multiplied_exactly(blocks, n, chip, pair, layout, partition, oversize, transposed):
    case = case_or_reject(blocks, n, chip, *pair, layout, partition=partition, oversize=oversize, transposed=transposed)
    values = case.values(integers(n))
    found = run(case, values)
    assert found.dtype == np.float32
    assert np.array_equal(found, product(case, values))


@settings(max_examples=60)
@given(patterns(), st.integers(1, 24), chips, formats, layouts, parts, st.booleans())
def test_every_value_is_within_the_bounds_of_its_formats(blocks, n, chip, pair, layout, partition, transposed):
    case = case_or_reject(blocks, n, chip, *pair, layout, partition=partition, transposed=transposed)
    values = case.values(halves(n))
    checker = OpChecker(case.graph, case.program)
    run(case, values, verify=True, after_op=checker.after_op)
    check = checker.result()
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@settings(max_examples=100)
@given(patterns(), st.integers(1, 40), chips, formats, parts, oversizes, st.booleans())
def test_program_and_executed_cost_agree(blocks, n, chip, pair, partition, oversize, transposed):
    case = case_or_reject(blocks, n, chip, *pair, partition=partition, oversize=oversize, transposed=transposed)
    trace = time_program(case.program, chip, GAPS_ONLY)
    executed = executed_pass(case.plan.placement, chip, WORK_ONLY, transposed)
    assert trace.cycles == executed.total + trace.terms().get("control", 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_every_partition_gives_the_same_integers(kind, block_size, transposed):
    blocks = pattern(kind, 9, 12, block_size, seed=5)
    chip = BOW.replace(n_tiles=48)
    for partition in ((1, 1, 1), (3, 4, 1), (9, 1, 3), (1, 12, 2), (3, 3, 3), (0, 0, 0)):
        for oversize in (0.3, 3.0):
            case = dynamic_case(blocks, 24, chip, partition=partition, oversize=oversize, transposed=transposed)
            values = case.values(integers(7))
            assert np.array_equal(run(case, values), product(case, values)), (partition, oversize)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    ("kind", "partition", "along_rows"),
    [("col", (4, 6, 2), False), ("corner", (6, 6, 2), True), ("row", (6, 4, 1), True), ("row", (6, 4, 3), True)],
)
@pytest.mark.parametrize("block_size", [1, 4, 16])
def test_what_overflows_is_multiplied_where_it_belongs(block_size, kind, partition, along_rows, transposed):
    scale = 4 if block_size == 1 else 1
    blocks = pattern(kind, 24 * scale, 24 * scale, block_size)
    if transposed:
        blocks = transpose_blocks(blocks)
    case = dynamic_case(blocks, 24, BOW, "float16", partition=partition, oversize=0.0, transposed=transposed)
    extent = case.plan.placement.extent
    assert case.plan.placement.propagation_steps > 0
    assert (extent[0] > 1) == along_rows
    values = case.values(integers(7))
    checker = OpChecker(case.graph, case.program)
    found = run(case, values, verify=True, after_op=checker.after_op)
    assert np.array_equal(found, product(case, values))
    assert checker.result()["passed"]
    assert run(case, values, threads=5).tobytes() == found.tobytes()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("pair", FORMATS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_the_number_of_threads_changes_no_byte(block_size, pair, transposed):
    case = dynamic_case(pattern("corner", 20, 24, block_size, seed=3), 150, BOW, *pair, transposed=transposed)
    values = case.values(halves(1))
    one = run(case, values, threads=1)
    assert [run(case, values, threads=threads).tobytes() == one.tobytes() for threads in (2, 3, 5)] == [True] * 3


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_density_one_is_the_dense_product(block_size, dtype):
    tensors = {"w": {"shape": [48, 80]}, "x": {"shape": [80, 36]}}
    op = {"op": "matmul", "name": "y", "inputs": ["w", "x"], "output": "y", "partials": dtype}
    dense = {"name": "dense", "dtype": dtype, "tensors": tensors, "ops": [op], "outputs": ["y"]}
    graph = build_graph(load_workload(dense))
    program = lower_graph(graph, plan_graph(graph, BOW, PlanOptions()), BOW)
    case = dynamic_case(pattern("all", 48 // block_size, 80 // block_size, block_size), 36, BOW, dtype)
    values = case.values(integers(2))
    assert np.array_equal(run(case, values), execute_program(program, values)["y"].reshape(48, 36))


@settings(max_examples=60)
@given(patterns(), st.integers(1, 40), chips, formats, st.booleans())
def test_more_bandwidth_is_never_slower(blocks, n, chip, pair, transposed):
    case = case_or_reject(blocks, n, chip, *pair, transposed=transposed)
    faster = chip.replace(exchange_bytes_per_cycle=2 * chip.exchange_bytes_per_cycle)
    slow, fast = time_program(case.program, chip), time_program(case.program, faster)
    assert fast.cycles <= slow.cycles
    assert slow.cycles == sum(step.cycles * step.count for step in slow.steps)
    for step in slow.steps:
        assert sum(step.terms.values()) == step.cycles


def test_a_batch_on_either_side_is_every_product_of_it():
    for layout in (Layout(batch=(2, 3)), Layout(False, batch=(2, 3)), Layout(False, True, True, (4,))):
        for partition in ((2, 2, 5), (0, 0, 0)):
            case = dynamic_case(
                pattern("random", 6, 8, 8, seed=2), 5, BOW.replace(n_tiles=60), layout=layout, partition=partition
            )
            values = case.values(integers(4))
            assert np.array_equal(run(case, values, verify=True), product(case, values)), layout


def test_room_for_more_non_zeros_changes_no_value():
    blocks = pattern("random", 12, 12, 4, seed=8)
    cases = [dynamic_case(blocks, 20, BOW, spare=spare) for spare in (1, 2)]
    values = cases[0].values(integers(1))
    first, second = (run(case, values) for case in cases)
    assert np.array_equal(first, second)
    assert cases[1].plan.plan.bucket_groups >= cases[0].plan.plan.bucket_groups


@pytest.mark.parametrize("block_size", [1, 4])
def test_not_a_number_reaches_what_its_row_meets(block_size):
    case = dynamic_case(pattern("random", 12, 12, block_size, seed=8), 20, BOW, "float32")
    values = case.values(halves(3))
    row, col = np.argwhere(case.pattern)[5]
    values["w"][row, col] = np.nan
    found = run(case, values)
    assert np.isnan(found[row]).all()
    assert not np.isnan(np.delete(found, row, axis=0)).any()
    assert len(np.unique(found[row].view(np.uint32))) == 1
