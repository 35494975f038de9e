import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.cost.arithmetic import bit_count, ceil_div, ceil_log2, floor_log2, floor_root, loop_cycles, round_up
from ipusim.kernels.jit import compiled

numbers = st.integers(0, 2**40)
positive = st.integers(1, 2**20)


@given(numbers, positive)
def test_division_and_rounding_up(a: int, b: int) -> None:
    assert ceil_div(a, b) == -(-a // b)
    assert round_up(a, b) == b * ceil_div(a, b)


@given(positive)
def test_bits(a: int) -> None:
    assert bit_count(a) == a.bit_count()
    assert floor_log2(a) == a.bit_length() - 1
    assert 2 ** ceil_log2(a) >= a > 2 ** (ceil_log2(a) - 1) / (1 if a > 1 else 2)
    assert bit_count(0) == 0


@given(st.integers(0, 2**20), st.integers(1, 3))
def test_roots_are_exact(a: int, degree: int) -> None:
    root = floor_root(a, degree)
    assert root**degree <= a < (root + 1) ** degree
    assert floor_root(a * a, 2) == a == math.isqrt(a * a)


def test_roots_of_what_floats_round_up() -> None:
    assert int((2**60 - 1) ** 0.5) == 2**30
    assert floor_root(2**60 - 1, 2) == 2**30 - 1


def test_a_loop_of_one_turn_branches_once() -> None:
    assert [loop_cycles(n) for n in (1, 2, 3)] == [1, 7, 13]


@settings(deadline=None, max_examples=50)
@given(positive, positive)
def test_compiled_equals_interpreted(a: int, b: int) -> None:
    for function in (ceil_div, round_up):
        assert compiled(function)(a, b) == function(a, b)
    for function in (bit_count, floor_log2, ceil_log2, loop_cycles):
        assert compiled(function)(a) == function(a)
    assert compiled(floor_root)(a, 3) == floor_root(a, 3)
