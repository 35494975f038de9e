import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.codelets.reduce_add import conv_reduce_cycles, multi_input_cycles, single_input_cycles, vertex_cycles
from ipusim.cost.reduction import planned_depths, reduction_stages
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "reduce.csv"
ROWS = [row for row in csv.DictReader(VECTORS.open()) if row["kind"].startswith("poplin")]
VERTEX = [row for row in ROWS if row["kind"] == "poplin_reduce"]
CONV = [row for row in ROWS if row["kind"] == "poplin_conv_reduce"]
MK2 = (638976, 16384)


def _flags(row: dict[str, str], *names: str) -> list[bool]:
    return [row[name] == "1" for name in names]


def _size(row: dict[str, str]) -> tuple[int, int]:
    return int(row["num_outputs"]), int(row["depth_or_partials"])


@pytest.mark.parametrize("row", VERTEX, ids=lambda row: f"{row['num_outputs']}x{row['depth_or_partials']}")
def test_vertex_equals_the_published_estimator(row: dict[str, str]) -> None:
    formats = _flags(row, "out_float", "partials_float")
    if row["single_input"] == "1":
        cycles = single_input_cycles(*_size(row), *formats, *_flags(row, "fast_or_interleaved"), 6)
    else:
        cycles = multi_input_cycles(*_size(row), *formats, 6)
    assert cycles == int(row["cycles"])


@pytest.mark.parametrize("row", CONV, ids=lambda row: f"{row['num_outputs']}x{row['depth_or_partials']}")
def test_stages_and_cycles_equal_the_published_planner(row: dict[str, str]) -> None:
    flags = _flags(row, "out_float", "partials_float", "fast_or_interleaved")
    (multi_stage,) = _flags(row, "multistage")
    if multi_stage:
        expected = [int(depth) for depth in row["planned_depths"].split()]
        assert [depth for depth in planned_depths(_size(row)[1]) if depth] == expected
    cycles = conv_reduce_cycles(*_size(row), *flags, int(row["in_chan_serial_split"]), multi_stage, *MK2, 6)
    assert cycles == int(row["cycles"])


def test_every_row_is_used() -> None:
    assert (len(VERTEX), len(CONV)) == (37, 30)


@pytest.mark.parametrize(
    ("elements", "partials", "multi", "single"),
    [
        (8, 2, 276, 219),
        (56, 2, 360, 285),
        (1472, 2, 2796, 2199),
        (1472, 4, 3912, 2943),
        (2208, 4, 5712, 4293),
        (576, 15, 4008, 2817),
        (2208, 28, 25584, 17541),
    ],
)
def test_anchors_of_the_reference(elements: int, partials: int, multi: int, single: int) -> None:
    assert multi_input_cycles(elements, partials, False, False, 6) == multi
    assert single_input_cycles(elements, partials - 1, False, False, False, 6) == single


def test_a_depth_of_one_costs_only_a_change_of_format() -> None:
    assert conv_reduce_cycles(96, 1, True, True, False, 1, True, *MK2, 6) == 0
    assert conv_reduce_cycles(96, 0, False, True, False, 1, True, *MK2, 6) == 0
    assert conv_reduce_cycles(96, 1, False, True, False, 2, True, *MK2, 6) == 0
    assert conv_reduce_cycles(96, 1, False, True, False, 1, True, *MK2, 6) == 6 * (8 + 26)


depths = st.integers(2, 1500)
flags = st.tuples(*[st.booleans()] * 3)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3000), depths, flags, st.integers(1, 2), st.booleans())
def test_compiled_equals_interpreted(
    outputs: int, depth: int, formats: tuple[bool, bool, bool], serial: int, multi_stage: bool
) -> None:
    arguments = (outputs, depth, *formats, serial, multi_stage, *MK2, 6)
    assert compiled(conv_reduce_cycles)(*arguments) == conv_reduce_cycles(*arguments)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 300), st.integers(2, 40), st.booleans(), st.booleans())
def test_the_single_input_vertex_is_the_quicker_one_where_both_can_run(
    eights: int, depth: int, float_out: bool, float_partials: bool
) -> None:
    single = single_input_cycles(8 * eights, depth - 1, float_out, float_partials, False, 6)
    assert single < multi_input_cycles(8 * eights, depth, float_out, float_partials, 6)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3000), depths, flags)
def test_one_partial_more_is_never_quicker(outputs: int, depth: int, formats: tuple[bool, bool, bool]) -> None:
    now = vertex_cycles(outputs, depth, *formats, *MK2, 6)
    assert vertex_cycles(outputs, depth + 1, *formats, *MK2, 6) > now


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3000), depths, flags)
def test_the_reduction_is_the_sum_of_its_stages(outputs: int, depth: int, formats: tuple[bool, bool, bool]) -> None:
    float_out, float_partials, fast = formats
    stages = reduction_stages(outputs, depth, True)
    pairs = [pair for pair in zip(stages[::2], stages[1::2], strict=True) if pair[1]]
    total = 0
    for number, (size, stage_depth) in enumerate(pairs, 1):
        out = float_out if number == len(pairs) else float_partials
        total += vertex_cycles(size, stage_depth, out, float_partials, fast, *MK2, 6)
    assert conv_reduce_cycles(outputs, depth, *formats, 1, True, *MK2, 6) == total
