"""Pooling operators: values against plain loops, halos, cost, and plans against brute force."""

from itertools import product as every

import numpy as np
import pytest
from conv_by_hand import CHIPS
from hypothesis import given, settings
from hypothesis import strategies as st

import ipusim
from ipusim.chip.load import load_chip
from ipusim.codelets.pool import vertex_cycles
from ipusim.engine.execution import execute_program
from ipusim.errors import BadInputError
from ipusim.frontends.build import build_graph
from ipusim.frontends.workload import load_workload
from ipusim.ir.tensor import Tensor
from ipusim.ops.avg_pool2d import OP as AVG
from ipusim.ops.max_pool2d import OP as MAX
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.conv_estimate import ConvSplit
from ipusim.plan.dense_search import distinct_splits
from ipusim.plan.pool import plan_pool, pool_problem, pool_terms


def _document(op, shape, dtype="float16", **attributes):
    return {
        "name": "pool",
        "dtype": dtype,
        "tensors": {"x": {"shape": list(shape)}},
        "ops": [{"op": op, "inputs": ["x"], "output": "y", **attributes}],
    }


def _plain(x, kernel, stride, before, after, largest, include):
    """Return the result of pooling a matrix, window by window."""
    extents = [(n + b + a - k) // s + 1 for n, b, a, k, s in zip(x.shape, before, after, kernel, stride, strict=True)]
    y = np.empty(extents)
    for place in every(*map(range, extents)):
        low = [at * s - b for at, s, b in zip(place, stride, before, strict=True)]
        cut = tuple(slice(max(0, at), min(n, at + k)) for at, k, n in zip(low, kernel, x.shape, strict=True))
        window = x[cut]
        y[place] = window.max() if largest else window.sum() / (kernel[0] * kernel[1] if include else window.size)
    return y


@st.composite
def pools(draw):
    """Draw a workload with a pooling op."""
    rank = draw(st.sampled_from((1, 2)))
    kernel = [draw(st.integers(1, 4)) for _ in range(rank)]
    padding = [draw(st.integers(0, extent - 1)) for extent in (*kernel, *kernel)]
    field = [draw(st.integers(extent, extent + 9)) for extent in kernel]
    kind = draw(st.sampled_from(("max", "avg")))
    attributes = {"kernel": kernel, "stride": [draw(st.integers(1, 3)) for _ in range(rank)], "padding": padding}
    if kind == "avg":
        attributes["include_padding"] = draw(st.booleans())
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 9)), *field)
    return _document(f"{kind}_pool{rank}d", shape, draw(st.sampled_from(("float16", "float32"))), **attributes)


@given(pools(), st.sampled_from(CHIPS))
@settings(max_examples=25, deadline=None)
def test_every_pool_passes_its_check_on_what_its_tiles_hold(workload, chip):
    run = ipusim.simulate(workload, chip, execute=True, verify=True, threads=1, explain=False)
    assert run.check["passed"], run.check
    assert run.check["checked_fraction"] == 1.0


@given(pools(), st.sampled_from(CHIPS))
@settings(max_examples=25, deadline=None)
def test_values_are_those_of_plain_loops(workload, chip):
    op = workload["ops"][0]
    shape = workload["tensors"]["x"]["shape"]
    x = np.random.default_rng(0).integers(-8, 9, shape).astype(np.float32)
    compiled = compile_workload(workload, chip)
    found = execute_program(compiled.program, {"x": x}, threads=2)["y"]
    largest, rank = op["op"].startswith("max"), len(shape) - 2
    pad = [0] * (2 - rank)
    one = [1] * (2 - rank)
    kernel, stride = one + op["kernel"], one + op["stride"]
    before, after = pad + op["padding"][:rank], pad + op["padding"][rank:]
    planes = x.reshape(-1, *([1] * (2 - rank)), *shape[2:])
    expected = np.stack(
        [_plain(plane, kernel, stride, before, after, largest, op.get("include_padding")) for plane in planes]
    )
    rounded = expected.astype(np.float32)
    if workload["dtype"] == "float16":
        rounded = rounded.astype(np.float16).astype(np.float32)
    assert np.array_equal(found.ravel(), rounded.ravel())


@given(pools())
@settings(max_examples=15, deadline=None)
def test_the_plan_is_the_best_of_all_cuts_whose_columns_use_what_is_left(workload):
    chip = load_chip("tiny", n_tiles=6)
    graph = build_graph(load_workload(workload))
    plan = plan_pool(graph, graph.ops[0], chip)
    problem = pool_problem(graph, graph.ops[0])
    extents = (problem.groups, *problem.field_out)
    splits = [
        ConvSplit(1, *parts, 1, 1, 1)
        for parts in every(*(distinct_splits(extent, chip.n_tiles).tolist() for extent in extents))
        if np.prod(parts) <= chip.n_tiles
    ]
    totals = [sum(pool_terms(problem, plan.largest, split, chip).values()) for split in splits]
    assert plan.split in splits
    assert min(totals) <= plan.cycles
    full = [
        total
        for split, total in zip(splits, totals, strict=True)
        if split.p_w == 1 or all(split.p_w >= other.p_w for other in splits if split[:3] == other[:3])
    ]
    assert plan.cycles == min(full)


def test_what_does_not_fit_is_located():
    workload = _document("max_pool2d", (1, 3, 4, 4), kernel=3, stride=2, padding=3)
    workload["ops"].append({"op": "avg_pool2d", "inputs": ["x"], "output": "z", "kernel": 9, "stride": 1})
    workload["ops"].append({"op": "max_pool1d", "inputs": ["x"], "output": "u", "kernel": 2, "stride": 1})
    workload["ops"].append({"op": "max_pool2d", "inputs": ["x"], "output": "v", "kernel": 2})
    with pytest.raises(BadInputError) as caught:
        build_graph(load_workload(workload))
    messages = [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
    assert messages == [
        "ops.0.padding: padding 3 is not less than the kernel's 3",
        "ops.1.inputs.0: the kernel reaches over 9 elements, the padded input has 4",
        "ops.2.inputs.0: max_pool1d needs [batch, channels, width], but x [1, 3, 4, 4] has 4 dimensions",
        "ops.3.stride: is missing",
    ]


def test_work_is_one_operation_for_each_element_of_a_window():
    attrs = {"kernel": (3, 2), "stride": 1, "padding": 0, "include_padding": False}
    x, y = Tensor("x", (1, 2, 5, 5), "float16"), Tensor("y", (1, 2, 3, 4), "float16")
    assert MAX.flops((x,), (y,), attrs, (0,)) == AVG.flops((x,), (y,), attrs, (0,)) == 24 * 6


def test_a_pool_by_hand():
    # 96 outputs over 2 workers are 12 loads of 64 bits for each; a load takes 3 + 8 + 3 rows x (3 + 2) slots.
    assert vertex_cycles(96, 3, 3, False, True, 2) == 2 * (16 + 12 * (3 + 8 + 3 * (3 + 2)))
    # In 32 bits: 24 loads, and a store in 5 slots for a sum and in 4 for a maximum.
    assert vertex_cycles(96, 3, 3, True, True, 2) == 2 * (16 + 24 * (3 + 5 + 3 * (3 + 2)))
    assert vertex_cycles(96, 3, 3, True, False, 2) == 2 * (16 + 24 * (3 + 4 + 3 * (3 + 2)))
