"""The check of executed values: its bounds hold, are not loose, and find what is wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from execution_programs import bias_program, inputs, product_program
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.engine import check
from ipusim.engine.bounds import Summation, compare_elementwise, compare_product
from ipusim.engine.check import OpChecker
from ipusim.engine.execution import execute_program
from ipusim.engine.rounding import rounded_format
from ipusim.formats import number_format, round_to_format
from ipusim.ir.graph import Graph
from ipusim.ir.regions import whole_boxes
from ipusim.ir.tensor import Op, Tensor
from ipusim.kernels.elementwise import COPY, combine_regions
from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.workers import Workers


def tensors(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name: Tensor(name, shape, "float32") for name, shape in shapes.items()}


PRODUCT = Graph(
    "product",
    tensors(w=(4, 6), x=(6, 5), s=(4, 5), y=(4, 5)),
    (
        Op("dot", "matmul", ("w", "x"), ("s",), {"partials": "float32", "transpose_a": False, "transpose_b": False}),
        Op("act", "relu", ("s",), ("y",)),
    ),
    ("y",),
)
BIAS = Graph("bias", tensors(x=(4, 5), b=(5,), y=(4, 5)), (Op("sum", "add", ("x", "b"), ("y",)),), ("y",))


def run(graph, program, damage=None, **values):
    checker = OpChecker(graph, program)

    def after(op, held):
        if damage is not None:
            damage(op, held)
        checker.after_op(op, held)

    execute_program(program, {**inputs(program), **values}, after_op=after)
    return checker.result()


@pytest.mark.parametrize(("graph", "build"), [(PRODUCT, product_program), (BIAS, bias_program)])
def test_right_values_pass(graph, build):
    found = run(graph, build())
    assert found["executed"] is True
    assert found["passed"] is True
    assert found["checked_fraction"] == 1.0
    assert 0.0 == found["max_abs_error"] <= found["max_rel_error"] <= found["tolerance"] < 1e-5


@pytest.mark.parametrize("op", ["dot", "act"])
@pytest.mark.parametrize("wrong", [1e-3, -50.0, np.inf, np.nan])
def test_a_wrong_value_is_found_and_its_op_named(op, wrong):
    def damage(name, held):
        if name == op:
            held.flat({"dot": "s", "act": "y"}[name])[7] += np.float32(wrong)

    found = run(PRODUCT, product_program(), damage)
    assert found["passed"] is False
    assert found["worst_op"] == op
    assert found["max_rel_error"] > found["tolerance"]
    expected = abs(wrong) if np.isfinite(wrong) else np.inf
    assert found["max_abs_error"] == pytest.approx(expected, rel=1e-2)


def test_an_op_that_was_not_compared_is_no_pass():
    checker = OpChecker(PRODUCT, product_program())
    assert checker.result()["passed"] is False
    assert checker.result()["checked_fraction"] == 0.0


def test_only_a_sample_of_large_results_is_compared(monkeypatch):
    monkeypatch.setattr(check, "PRODUCTS", 6 * 9)
    monkeypatch.setattr(check, "ELEMENTS", 4)
    found = run(PRODUCT, product_program())
    assert found["passed"] is True
    assert found["checked_fraction"] == (9 + 4) / 40


def test_samples_depend_on_the_seed_alone_and_are_spread():
    program = product_program()
    first, again, other = (OpChecker(PRODUCT, program, seed)._spread(1000, 10) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first // 100, np.arange(10))


def summed(left, right, bounds, group, half):
    """Return the product as the kernels form it: intervals of depth apart, then added up in order."""
    m = left.shape[0]
    n = right.shape[1]
    partials = np.zeros((len(bounds) - 1, m, n), np.float32)
    edges = list(pairwise(bounds))
    with Workers(1) as workers:
        multiply_boxes(
            left[None],
            right[None],
            partials,
            np.array([[0, 1, 0, m, *edge] for edge in edges]),
            np.array([[0, 1, *edge, 0, n] for edge in edges]),
            np.array([[i, i + 1, 0, m, 0, n] for i in range(len(edges))]),
            workers,
            round_every=group if half else 0,
        )
        out = np.zeros((1, m, n), np.float32)
        sources = whole_boxes(np.array([[i, i + 1, 0, m, 0, n] for i in range(len(edges))]))
        target = whole_boxes(np.array([[0, 1, 0, m, 0, n]]))
        combine_regions(out, target, partials, sources, workers, COPY, np.array([0, len(edges)]), half)
    return out[0].astype(np.float64)


KINDS = ("normal", "positive", "ones", "wide", "tiny", "cancelling")


def data(rng, shape, kind):
    found = rng.standard_normal(shape)
    if kind == "positive":
        found = np.abs(found)
    elif kind == "ones":
        found = np.ones(shape)
    elif kind == "wide":
        found = np.ldexp(found, rng.integers(-12, 5, shape))
    elif kind == "tiny":
        found = found * 2.0**-13
    elif kind == "cancelling":
        found = np.where(np.indices(shape).sum(0) % 2, 100.0, -100.0) + found
    return round_to_format(found, "float16")


@settings(deadline=None, max_examples=80)
@given(
    extents=st.tuples(st.integers(1, 5), st.integers(1, 700), st.integers(1, 5)),
    parts=st.integers(1, 5),
    group=st.sampled_from([1, 4, 16]),
    half=st.booleans(),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_bounds_of_products_hold_for_any_data(extents, parts, group, half, kinds, seed):
    rng = np.random.default_rng(seed)
    m, k, n = extents
    left, right = data(rng, (m, k), kinds[0]), data(rng, (k, n), kinds[1])
    bounds = (0, *sorted(set(rng.integers(1, k, parts - 1).tolist()) if k > 1 else ()), k)
    value = summed(left, right, bounds, group, half)
    partials = number_format("float16" if half else "float32")
    found = compare_product(
        left.astype(np.float64), right.astype(np.float64), value, Summation(bounds, group, partials), partials
    )
    assert np.allclose(found.reference, (left.astype(float) @ right).ravel(), rtol=1e-12, atol=1e-9)
    finite = np.isfinite(found.tolerance)
    assert (np.abs(found.value - found.reference)[finite] <= found.tolerance[finite]).all()


@pytest.mark.parametrize(
    ("partials", "limit"), [("float32", 1024 * 2.0**-24), ("float16", 60 * 2.0**-11)], ids=["float32", "float16"]
)
def test_bounds_of_products_are_not_loose(partials, limit):
    """The tolerance of a product of depth 1024 stays far below what a missing sixteenth of the depth would change."""
    rng = np.random.default_rng(4)
    left, right = data(rng, (30, 1024), "normal"), data(rng, (1024, 30), "normal")
    bounds = tuple(range(0, 1025, 128))
    value = summed(left, right, bounds, 16, partials == "float16")
    summation = Summation(bounds, 16, number_format(partials))
    found = compare_product(left.astype(float), right.astype(float), value, summation, number_format(partials))
    scale = np.abs(found.reference).max()
    assert (found.tolerance < limit * scale).all()
    missing = left[:, :64].astype(float) @ right[:64]
    assert (np.abs(missing).ravel() > found.tolerance).mean() > 0.8


def test_sums_that_may_overflow_are_not_compared():
    left, right = np.full((1, 64), 200.0), np.full((64, 2), 200.0)
    right[:, 1] = 1.0
    half = number_format("float16")
    found = compare_product(left, right, np.array([[np.inf, 12800.0]]), Summation((0, 64), 16, half), half)
    assert found.tolerance[0] == np.inf
    assert 0 < found.tolerance[1] < 200


def test_errors_of_roundings_at_random_grow_with_the_root_of_their_number():
    """Of a deep sum in float16 the worst case says nothing, while independent errors stay within a quarter."""
    depth, term = 24576, 0.7099609375
    left, right = np.ones((1, depth)), np.full((depth, 1), term)
    coarse = rounded_format("float16", stochastic=True)
    rng = np.random.default_rng(7)
    sums = np.zeros(200, np.float32)
    for _ in range(depth // 16):
        exact = sums + np.float32(16 * term)
        low = round_to_format(exact, "float16")
        low = np.where(low > exact, np.nextafter(low.astype(np.float16), np.float16(0)), low).astype(np.float32)
        step = np.spacing(low.astype(np.float16)).astype(np.float32)
        sums = low + step * (rng.random(200) < (exact - low) / step)
    value = sums[None].astype(float)
    random = compare_product(left, right, value[:, :1], Summation((0, depth), 16, coarse, stochastic=True), coarse)
    worst = compare_product(left, right, value[:, :1], Summation((0, depth), 16, coarse), coarse)
    assert worst.tolerance[0] == np.inf
    assert random.tolerance[0] < 0.25 * depth * term
    assert 0 < np.abs(value - depth * term).max() < random.tolerance[0]


@given(
    st.lists(st.floats(-70000, 70000, width=32), min_size=2, max_size=2),
    st.sampled_from(["float16", "float32"]),
)
def test_bounds_of_elementwise_operators_hold(numbers, name):
    left, right = (round_to_format([number], name) for number in numbers)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return
    value = round_to_format(left + right, name).astype(float)
    found = compare_elementwise(np.add, (left.astype(float), right.astype(float)), value, number_format(name))
    if np.isfinite(found.tolerance[0]):
        assert abs(value - found.reference)[0] <= found.tolerance[0]
        u = number_format(name).unit_roundoff
        assert found.tolerance[0] <= 3.1 * u * abs(found.reference[0]) + number_format(name).smallest_subnormal * 2
    else:
        assert abs(found.reference[0]) > 0.99 * number_format(name).max
