import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.reduction import (
    SINGLE_BLOCK_SHARE,
    later_stage_bytes,
    planned_depths,
    planned_stages,
    received_bytes,
    reduction_stages,
    single_input_allowed,
    temporary_bytes,
)
from ipusim.kernels.jit import compiled

depths = st.integers(0, 1500)
outputs = st.integers(1, 5000)


@pytest.mark.parametrize(("depth", "stages"), [(0, 0), (1, 0), (2, 1), (15, 1), (16, 2), (124, 2), (125, 3), (1472, 3)])
def test_number_of_stages(depth: int, stages: int) -> None:
    assert planned_stages(depth) == stages


@pytest.mark.parametrize(
    ("depth", "left"),
    [(15, (0, 0)), (16, (4, 0)), (17, (4, 0)), (64, (8, 0)), (100, (10, 0)), (124, (11, 0)), (125, (25, 5)),
     (200, (35, 6)), (500, (63, 8))],
)  # fmt: skip
def test_planned_depths_of_the_published_planner(depth: int, left: tuple[int, int]) -> None:
    assert planned_depths(depth) == left


def test_stages_by_hand() -> None:
    assert reduction_stages(88, 9, True) == (88, 9, 0, 0, 0, 0)
    assert reduction_stages(118, 17, True) == (402, 5, 101, 4, 0, 0)
    assert reduction_stages(448, 200, True) == (14934, 6, 2489, 6, 415, 6)
    assert reduction_stages(448, 200, False) == (448, 200, 0, 0, 0, 0)


@given(outputs, depths)
def test_the_stages_reduce_everything_and_no_stage_is_idle(size: int, depth: int) -> None:
    stages = reduction_stages(size, depth, True)
    product, last = 1, 0
    for stage_size, stage_depth in zip(stages[::2], stages[1::2], strict=True):
        assert (stage_depth == 0) == (stage_size == 0)
        assert stage_depth != 1
        if stage_depth:
            product *= stage_depth
            last = stage_size
    assert product >= depth
    if depth > 1:
        assert 0 < last <= size
        assert sum(1 for d in stages[1::2] if d) <= planned_stages(depth)


def test_bytes_by_hand() -> None:
    # Stages (402, 5) and (101, 4): the second takes in what the first leaves.
    assert later_stage_bytes(118, 17, 2, True) == 804
    assert later_stage_bytes(118, 17, 2, False) == 0
    assert later_stage_bytes(448, 200, 4, True) == 4 * (14934 + 2489)
    assert temporary_bytes(118, 17, 2, True) == 402 * 5 * 2
    assert temporary_bytes(118, 1, 2, True) == 0
    assert received_bytes(402, 5, 2) == 402 * 4 * 2
    assert received_bytes(402, 2, 2) == 804
    assert received_bytes(402, 1, 2) == received_bytes(402, 0, 2) == 0


def test_single_input_needs_whole_accumulators_and_little_memory() -> None:
    mk2 = (638976, 16384)
    assert single_input_allowed(520, 2, True, False, *mk2)
    assert not single_input_allowed(522, 2, True, True, *mk2)
    assert not single_input_allowed(524, 2, False, True, *mk2)
    # 16384 bytes fill one memory element, one more byte takes two, two thirds of the permitted part.
    assert single_input_allowed(4096, 2, True, False, *mk2)
    assert single_input_allowed(8192, 2, True, False, *mk2)
    assert not single_input_allowed(8196, 2, True, False, *mk2)
    assert single_input_allowed(8196, 2, True, True, *mk2)
    # accumulators of 8 halves, 2 bytes each; every further partial sum of an output is in the block
    assert single_input_allowed(8, 2, False, False, *mk2)
    assert single_input_allowed(16384, 2, False, False, *mk2)
    assert not single_input_allowed(8192, 4, False, False, *mk2)
    assert not single_input_allowed(4096, 2, True, False, 16384 * SINGLE_BLOCK_SHARE, 16384), "less, not as much"


@settings(deadline=None, max_examples=60)
@given(outputs, depths, st.booleans())
def test_compiled_equals_interpreted(size: int, depth: int, multi_stage: bool) -> None:
    assert compiled(reduction_stages)(size, depth, multi_stage) == reduction_stages(size, depth, multi_stage)
    assert compiled(planned_depths)(depth) == planned_depths(depth)
    for function in (later_stage_bytes, temporary_bytes):
        assert compiled(function)(size, depth, 2, multi_stage) == function(size, depth, 2, multi_stage)
    arguments = (size, depth, multi_stage, not multi_stage, 638976, 16384)
    assert compiled(single_input_allowed)(*arguments) == single_input_allowed(*arguments)


@given(outputs, depths)
def test_stages_hold_all_partials(size: int, depth: int) -> None:
    if depth > 1:
        first, factor, second, then, third, last = reduction_stages(size, depth, True)
        assert first * factor >= max(second * then, third * last), "the first stage is the widest"
        assert first * factor >= size * depth
        assert first == ceil_div(size * depth, factor)
