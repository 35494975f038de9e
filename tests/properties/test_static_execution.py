"""Static sparse matmuls compute the same whatever the pattern, the split, the layout and the threads."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from static_by_hand import KINDS, Layout, halves, integers, layouts, pattern, patterns, static_case

from ipusim.chip.load import load_chip
from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.engine.timing import time_program
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.lower.lowering import lower_graph
from ipusim.plan.graph import plan_graph
from ipusim.plan.problem import PlanOptions

BOW = load_chip("bow")
TINY = load_chip("tiny")
FORMATS = [("float16", "float16"), ("float16", "float32"), ("float32", "float32")]
ONE = BOW.replace(n_tiles=1, tiles_per_exchange_bus=1, exchange_bus_sharing=False)
CHIPS = [ONE, *(BOW.replace(n_tiles=tiles) for tiles in (2, 16, 70)), TINY]

chips = st.sampled_from(CHIPS)
formats = st.sampled_from(FORMATS)


def product(case, values):
    """Return the product as SciPy computes it, in the shape of the result."""
    left, right = case.operands(values)
    if case.graph.ops[0].inputs[0] == "w":
        sparse = scipy.sparse.csr_matrix(left)
        batches = right.reshape(-1, *right.shape[-2:])
        result = np.stack([sparse @ batch for batch in batches])
    else:
        sparse = scipy.sparse.csc_matrix(right)
        result = np.stack([batch @ sparse for batch in left.reshape(-1, *left.shape[-2:])])
    return result.reshape(case.graph.tensors["y"].shape)


def run(case, values, threads=2, verify=False, after_op=None):
    found = execute_program(case.program, values, threads=threads, verify=verify, after_op=after_op)["y"]
    return found.reshape(case.graph.tensors["y"].shape)


@settings(max_examples=120)
@given(patterns(), st.integers(1, 40), chips, formats, layouts, st.integers(0, 3), st.integers(0, 5))
def test_integers_are_multiplied_exactly(blocks, n, chip, pair, layout, n_splits, n_bands):
    grain = 4 if pair[0] == "float16" else 2
    n_splits = min(n_splits, chip.n_tiles // 2, -(-n // grain)) if chip.n_tiles > 1 else 0
    n_bands = min(n_bands, max(1, chip.n_tiles // (2 * max(n_splits, 1)))) if chip.n_tiles > 1 else 0
    case = static_case(blocks, n, chip, *pair, layout, n_splits, n_bands)
    values = case.values(integers(n))
    found = run(case, values)
    assert found.dtype == np.float32
    assert np.array_equal(found, product(case, values))


@settings(max_examples=60)
@given(patterns(), st.integers(1, 24), chips, formats, layouts)
def test_every_value_is_within_the_bounds_of_its_formats(blocks, n, chip, pair, layout):
    case = static_case(blocks, n, chip, *pair, layout)
    values = case.values(halves(n))
    checker = OpChecker(case.graph, case.program)
    run(case, values, verify=True, after_op=checker.after_op)
    check = checker.result()
    assert check["passed"], check
    assert check["checked_fraction"] == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_every_split_gives_the_same_integers(kind, block_size):
    blocks = pattern(kind, 9, 12, block_size, seed=5)
    chip = BOW.replace(n_tiles=48)
    for n_splits in (1, 2, 5):
        for n_bands in (1, 3, 4):
            case = static_case(blocks, 21, chip, n_splits=n_splits, n_bands=n_bands)
            values = case.values(integers(7))
            assert np.array_equal(run(case, values), product(case, values)), (n_splits, n_bands)


@pytest.mark.parametrize("pair", FORMATS)
@pytest.mark.parametrize("block_size", [1, 4, 8, 16])
def test_the_number_of_threads_changes_no_byte(block_size, pair):
    case = static_case(pattern("random", 20, 24, block_size, seed=3), 150, BOW, *pair)
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
    case = static_case(pattern("all", 48 // block_size, 80 // block_size, block_size), 36, BOW, dtype)
    values = case.values(integers(2))
    assert np.array_equal(run(case, values), execute_program(program, values)["y"].reshape(48, 36))


@settings(max_examples=60)
@given(patterns(), st.integers(1, 40), chips, formats)
def test_more_bandwidth_is_never_slower(blocks, n, chip, pair):
    case = static_case(blocks, n, chip, *pair)
    faster = chip.replace(exchange_bytes_per_cycle=2 * chip.exchange_bytes_per_cycle)
    slow, fast = time_program(case.program, chip), time_program(case.program, faster)
    assert fast.cycles <= slow.cycles
    assert slow.cycles == sum(step.cycles * step.count for step in slow.steps)
    for step in slow.steps:
        assert sum(step.terms.values()) == step.cycles


def test_a_batch_on_either_side_is_every_product_of_it():
    for layout in (Layout(batch=(2, 3)), Layout(False, batch=(2, 3)), Layout(False, True, True, (4,))):
        case = static_case(pattern("random", 6, 5, 4), 9, BOW, layout=layout)
        values = case.values(integers(4))
        left, right = case.operands(values)
        assert np.array_equal(run(case, values), left @ right)
