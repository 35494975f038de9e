from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.codelets import (
    binary_1d,
    broadcast_scalar_1d,
    broadcast_vector_outer,
    cast_1d,
    fill_1d,
    inverse_std_dev,
    nonlinearity_1d,
    nonlinearity_grad_1d,
    reduce_max_class_gather,
    scaled_add_1d,
    select,
    unary_1d,
)
from ipusim.codelets.fused_map import operator_slots
from ipusim.codelets.op_constants import ACTIVATIONS, BINARY_OPS, DERIVED, SELECT_SLOTS, UNARY_OPS
from ipusim.codelets.registry import codelet
from ipusim.kernels.jit import compiled

CHIP = SimpleNamespace(worker_contexts=6, data_path_bytes=8)
TINY = SimpleNamespace(worker_contexts=2, data_path_bytes=8)


@pytest.mark.parametrize(("elements", "expected"), [(10, 203), (1024, 1733)])
def test_float_add_equals_the_values_of_the_reference(elements: int, expected: int) -> None:
    assert binary_1d.add_cycles(elements, 2, True, False, 6) == expected
    settings = {"op": "add", "dtype": "float32"}
    assert codelet("binary_1d").cycles({"elements": elements}, settings, CHIP) == expected


def test_binary_variants_by_hand() -> None:
    fields = {"elements": 96}
    cycles = codelet("binary_1d").cycles
    # 16 elements per worker, 4 vectors of 16-bit elements, 3 slots each.
    assert cycles(fields, {"op": "multiply", "dtype": "float16"}, CHIP) == 11 + 6 * (26 + 12)
    assert cycles(fields, {"op": "add", "dtype": "float16", "in_place": True}, CHIP) == 11 + 6 * (58 + 12)
    assert cycles(fields, {"op": "divide", "dtype": "float32"}, CHIP) == 11 + 6 * (29 + 80)
    assert cycles(fields, {"op": "power", "dtype": "float16"}, CHIP) == 11 + 6 * (26 + 16 * 325)
    assert cycles(fields, {"op": "add", "dtype": "int32"}, CHIP) == 11 + 6 * (29 + 16 * 7)
    # 48 elements per worker on a tile of two workers.
    assert cycles(fields, {"op": "add", "dtype": "float32"}, TINY) == 11 + 2 * (29 + 24 * 3)


def test_unary_by_hand() -> None:
    cycles = codelet("unary_1d").cycles
    fields = {"elements": 96}
    assert cycles(fields, {"op": "exp", "dtype": "float16"}, CHIP) == 20 + 6 * (33 + 16)
    assert cycles(fields, {"op": "log", "dtype": "float32"}, CHIP) == 20 + 6 * (17 + 96)
    assert cycles(fields, {"op": "tanh", "dtype": "float16", "in_place": True}, CHIP) == 20 + 6 * (55 + 8)
    assert cycles(fields, {"op": "sqrt", "dtype": "float32", "in_place": True}, CHIP) == 20 + 6 * (55 + 80)
    assert cycles(fields, {"op": "abs", "dtype": "float16"}, CHIP) == 20 + 6 * (17 + 80)
    assert cycles(fields, {"op": "abs", "dtype": "float16", "in_place": True}, CHIP) == 20 + 6 * (55 + 4)


def test_gelu_equals_the_value_of_the_reference() -> None:
    assert codelet("nonlinearity_1d").cycles({"elements": 2208}, {"op": "gelu", "dtype": "float16"}, CHIP) == 2961


def test_nonlinearity_by_hand() -> None:
    cycles = codelet("nonlinearity_1d").cycles
    # 24 vectors of two elements on 6 workers: 4 each.
    loop = 2 + 5 + 3 * 10 + 1 + 5
    assert cycles({"elements": 48}, {"op": "sigmoid", "dtype": "float32"}, CHIP) == 9 + 6 * (20 + loop + 2)
    assert cycles({"elements": 49}, {"op": "sigmoid", "dtype": "float32"}, CHIP) == 9 + 6 * (20 + 43 + 2 + 2 + 5)
    assert cycles({"elements": 1}, {"op": "relu", "dtype": "float16"}, CHIP) == 9 + 6 * (20 + 4 + 3)
    grad = codelet("nonlinearity_grad_1d").cycles
    assert grad({"elements": 96}, {"op": "relu_gradient", "dtype": "float16"}, CHIP) == 9 + 6 * (20 + 4 + 9 + 1 + 4)
    assert grad({"elements": 48}, {"op": "gelu_gradient", "dtype": "float32"}, CHIP) == 9 + 6 * (20 + 4 + 30 + 1 + 2)


@pytest.mark.parametrize(("elements", "expected"), [(64, 279), (128, 369), (256, 567), (512, 945)])
def test_scaled_add_equals_the_values_of_the_reference(elements: int, expected: int) -> None:
    assert scaled_add_1d.vertex_cycles(elements, 2, 3, False, 6) == expected
    assert codelet("scaled_add_1d").cycles({"elements": elements}, {"dtype": "float32"}, CHIP) == expected


def test_scaled_add_variants_by_hand() -> None:
    assert scaled_add_1d.vertex_cycles(64, 2, 3, True, 6) == 279 + 6
    assert scaled_add_1d.vertex_cycles(65, 2, 3, False, 6) == 279 + 6 + 6
    assert scaled_add_1d.vertex_cycles(5, 2, 3, False, 6) == 63 + 6 * 26
    mixed = codelet("scaled_add_1d").cycles({"elements": 96}, {"dtype": "float16", "addend": "float32"}, CHIP)
    assert mixed == 57 + 6 * (21 + 12 + 4)


def test_cast_by_hand() -> None:
    # 1024 elements on 6 workers: 171 each; widening writes 85 pairs and a single one.
    assert cast_1d.vertex_cycles(1024, True, False, 6) == 12 + 6 * (19 + 85 + 1 + 2 + 18)
    # Narrowing writes 42 vectors of four in two slots each and three more elements: two bits.
    assert cast_1d.vertex_cycles(1024, False, False, 6) == 12 + 6 * (19 + 84 + 2 + 4 + 18)
    assert cast_1d.vertex_cycles(1024, False, True, 6) == 12 + 6 * (19 + 42 + 2 + 4 + 18)
    registered = codelet("cast_1d").cycles({"elements": 1024}, {"input": "float32", "output": "float16"}, CHIP)
    assert registered == 6 * (86 + 26)


def test_broadcasts_by_hand() -> None:
    scalar = codelet("broadcast_scalar_1d").cycles
    assert scalar({"elements": 96}, {"op": "add", "dtype": "float16"}, CHIP) == 11 + 6 * (20 + 4 * 2)
    assert scalar({"elements": 96}, {"op": "divide", "dtype": "float32"}, CHIP) == 11 + 6 * (20 + 8 * 14)
    outer = codelet("broadcast_vector_outer").cycles
    fields = {"rows": 13, "cols": 24}
    assert outer(fields, {"op": "add", "dtype": "float16"}, CHIP) == 11 + 6 * (15 + 3 * (7 + 2 * 6))
    by_column = {"op": "add", "dtype": "float16", "by_column": True}
    assert outer(fields, by_column, CHIP) == 11 + 6 * (15 + 13 * (7 + 2 * 1))
    assert outer({"rows": 6, "cols": 25}, {"op": "add", "dtype": "float16"}, CHIP) == 11 + 6 * (15 + 25 + 2 * 7)


def test_fill_by_hand() -> None:
    assert [fill_1d.worker_cycles(n, False) for n in (1, 2, 3, 8)] == [15, 21, 26, 28]
    assert [fill_1d.worker_cycles(n, True) for n in (1, 2, 9)] == [24, 24, 28]
    assert codelet("fill_1d").cycles({"elements": 48}, {"dtype": "float16"}, CHIP) == 6 * 28


def test_single_worker_vertices_by_hand() -> None:
    fields = {"regions": 3, "region_elements": 7}
    assert codelet("select").cycles(fields, {}, CHIP) == 6 * (5 + 3 * 41)
    assert codelet("inverse_std_dev").cycles(fields, {}, CHIP) == 6 * (6 + 3 * 24)
    assert codelet("select").one_worker
    assert codelet("inverse_std_dev").one_worker
    gather = codelet("reduce_max_class_gather").cycles
    assert gather({"elements": 100, "worker_elements": 17}, {}, CHIP) == 9 + 6 * (30 + 48)
    assert gather({"elements": 5, "worker_elements": 17}, {}, CHIP) == 9 + 6 * (30 + 12)


elements = st.integers(1, 5000)


@settings(max_examples=50, deadline=None)
@given(elements, st.integers(1, 60), st.booleans(), st.booleans(), st.sampled_from([2, 6]))
def test_compiled_equals_interpreted_and_more_elements_are_never_quicker(
    n: int, m: int, one: bool, other: bool, workers: int
) -> None:
    width = 2 if one else 4
    for function, tail in (
        (binary_1d.vertex_cycles, (m, width, one, other, workers)),
        (binary_1d.add_cycles, (width, one, other, workers)),
        (unary_1d.vertex_cycles, (m, width, 17, workers)),
        (broadcast_scalar_1d.vertex_cycles, (m, width, one, workers)),
        (broadcast_vector_outer.vertex_cycles, (m, 1, width, one, other, workers)),
        (cast_1d.planner_cast_cycles, (width, 6 - width, workers)),
        (nonlinearity_1d.vertex_cycles, (2, 3, width, workers)),
        (nonlinearity_grad_1d.vertex_cycles, (3, width, workers)),
        (scaled_add_1d.vertex_cycles, (width, 3, one, workers)),
        (cast_1d.vertex_cycles, (one, other, workers)),
        (fill_1d.vertex_cycles, (one, workers)),
        (select.worker_cycles, (m,)),
        (inverse_std_dev.worker_cycles, (m,)),
        (reduce_max_class_gather.vertex_cycles, (m, workers)),
    ):
        cycles = function(n, *tail)
        assert compiled(function)(n, *tail) == cycles
        assert function(n + 24, *tail) >= cycles


def test_every_operator_has_positive_constants() -> None:
    for table in (BINARY_OPS, UNARY_OPS):
        for entry in table.values():
            for float_type in (False, True):
                for in_place in (False, True):
                    cycles, per_loop = entry.loop(float_type, in_place)
                    assert cycles > 0
                    assert per_loop in (1, 2, 4)
    assert {"relu", "gelu", "tanh", "sigmoid"} <= set(ACTIVATIONS)


def test_functions_without_a_published_loop_say_what_theirs_is_derived_from():
    known = {*UNARY_OPS, *BINARY_OPS, "select"}
    assert set(DERIVED) <= known
    assert all(DERIVED.values())
    assert operator_slots("select", False) + 1 + 2 == 4 * SELECT_SLOTS
    assert operator_slots("hard_swish", False) > operator_slots("hard_sigmoid", False) > operator_slots("relu", False)
