"""Planner and timing share their formulas: the terms of a plan's estimate are those of its program, one by one."""

import csv
from pathlib import Path

import pytest
from handmade import cases, document, even_cases, problem_of
from hypothesis import given, settings

from ipusim.chip.load import load_chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.cost.reduction import TWO_STAGE_DEPTH
from ipusim.engine.charges import NONE
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dense_estimate import largest_share

DATA = Path(__file__).parents[2] / "ipusim" / "validation" / "data" / "bow_matmul_measured.csv"
EXACT = ("slice", "inputs", "weights", "amp", "update", "add")
BOW = load_chip("bow")


def _terms(program, chip):
    return time_program(program, chip, NONE).terms()


def _received_partials(plan, chip):
    """Return the cycles of the partial sums of a single stage: a credit of charges.py, a tile's own are in place."""
    share = largest_share(plan.product, plan.variant, plan.split)
    depth = plan.split.p_inner
    outputs = ceil_div(share.groups * share.rows * share.outer, depth)
    moved = (depth - 1) * outputs * plan.product.partial_bytes
    return share.slices * receive_cycles(moved, rate_sixteenths(chip.exchange_bytes_per_cycle))


def _measured_shapes():
    with DATA.open() as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "an_7_0:dense_ipu_gpu"]
    dense = [row for row in rows if (row["device"], row["method"]) == ("bow_ipu", "dense")]
    return [({"FP16": "float16", "FP32": "float32"}[row["dtype"]], int(row["m"]), int(row["n"])) for row in dense]


@given(even_cases())
@settings(max_examples=150, deadline=None)
def test_every_term_agrees_where_sizes_divide(case):
    plan, share, chip = case.plan, case.share, case.chip
    split, product, slices = case.split, plan.product, share.slices
    found, expected = _terms(case.program, chip), plan.estimate._asdict()

    # Credit of charges.py: where the tiles of a bus are neighbours in the rows, they receive their weights together.
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    weights = share.groups * share.inner * share.outer * product.input_bytes
    neighbours = split.p_outer == split.p_inner == 1 and split.p_rows % chip.tiles_per_exchange_bus == 0
    if chip.exchange_bus_sharing and neighbours:
        shared = chip.exchange_bus_rate_factor * rate
        expected["weights"] = slices * receive_cycles(weights - weights // split.p_rows, shared)
    for term in ("slice", "inputs", "weights", "amp", "update", "add"):
        assert found.get(term, 0) == expected[term], term

    # Without a reduction its term is the change of format alone.
    assert found.get("reduce", 0) + found.get("cast", 0) == expected["reduce"] + expected["cast"]
    if case.depth > 1:
        assert found["reduce"] == expected["reduce"]

    assert found.get("partials", 0) == _received_partials(plan, chip)

    # What remains is that nobody sends faster than a word per cycle, which shows where two tiles swap halves.
    inputs = share.groups * share.rows * share.inner * product.input_bytes
    sent_inputs = inputs // split.p_outer if split.p_outer > 1 else 0
    sent_weights = weights // split.p_rows if split.p_rows > 1 else 0
    one_input = expected["inputs"] if split.broadcast else expected["inputs"] // slices
    one_weight = expected["weights"] // slices
    if split.broadcast:
        waits = max(0, receive_cycles(sent_inputs, rate) - one_input)
        waits += slices * max(0, receive_cycles(sent_weights, rate) - one_weight)
    else:
        waits = slices * max(0, receive_cycles(sent_inputs + sent_weights, rate) - one_input - one_weight)
    assert found.get("exchange phase", 0) == waits
    assert set(found) <= {*EXACT, "reduce", "cast", "partials", "exchange phase"}


@given(cases())
@settings(max_examples=150, deadline=None)
def test_uneven_shares_never_receive_more_than_the_plan_expects(case):
    found, expected = _terms(case.program, case.chip), case.plan.estimate
    for term in ("inputs", "weights"):
        assert found.get(term, 0) <= getattr(expected, term), term
    for term in ("slice", "update", "add"):
        assert found.get(term, 0) == getattr(expected, term), term
    assert found.get("amp", 0) >= expected.amp
    if case.depth < TWO_STAGE_DEPTH:
        assert found.get("partials", 0) == _received_partials(case.plan, case.chip)


@pytest.mark.parametrize(("dtype", "m", "n"), _measured_shapes())
def test_terms_agree_on_the_measured_shapes(dtype, m, n):
    compiled = compile_workload(document(problem_of(m, m, n, dtype)), BOW)
    plan = compiled.plans["y"]
    found, expected = _terms(compiled.program, BOW), plan.estimate._asdict()
    for term in (*EXACT, "cast"):
        assert found.get(term, 0) == expected[term], term
    assert found["partials"] < expected["partials"]
    split, share = plan.split, largest_share(plan.product, plan.variant, plan.split)
    if split.p_inner < TWO_STAGE_DEPTH:
        even = plan.product.rows % split.p_rows == 0 and share.rows * share.outer % split.p_inner == 0
        assert found["reduce"] == expected["reduce"] if even else found["reduce"] >= expected["reduce"]
        assert found["partials"] == _received_partials(plan, BOW)
