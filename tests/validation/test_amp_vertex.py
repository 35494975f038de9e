"""The AMP vertex and some elementwise ones against cycles measured on hardware."""

import json
from pathlib import Path

import pytest

from ipusim.codelets.amp_1x1 import measured_line_cycles, vertex_cycles
from ipusim.codelets.binary_1d import add_cycles
from ipusim.codelets.scaled_add_1d import vertex_cycles as scaled_add_cycles

DATA = Path(__file__).parents[2] / "ipusim" / "validation" / "data" / "amp_vertex_measured.json"
MEASURED = {int(rows): cycles for rows, cycles in json.loads(DATA.read_text()).items()}
TIMER_CYCLES = 45


@pytest.mark.parametrize("rows", MEASURED)
def test_one_vertex_is_within_two_percent_of_a_bow_tile(rows: int) -> None:
    cycles = vertex_cycles(rows, 1, 1, 1, 1, 64, 16, False, False, 6)
    assert cycles == pytest.approx(MEASURED[rows], rel=0.02)


@pytest.mark.parametrize("rows", MEASURED)
def test_the_executed_line_is_within_one_percent(rows: int) -> None:
    line = measured_line_cycles(rows, 1, 1, 1, 1, 64, 4.0, 18.5, False, True, 6)
    assert line == pytest.approx(MEASURED[rows], rel=0.01)


def test_the_slope_is_four_cycles_a_row() -> None:
    few, many = min(MEASURED), max(MEASURED)
    modelled = vertex_cycles(many, 1, 1, 1, 1, 64, 16, False, False, 6) - vertex_cycles(
        few, 1, 1, 1, 1, 64, 16, False, False, 6
    )
    assert modelled / (many - few) == pytest.approx((MEASURED[many] - MEASURED[few]) / (many - few), rel=0.002)


@pytest.mark.parametrize(("rows", "table8", "table16"), [
    (16, 409, 377), (32, 457, 425), (64, 577, 545), (96, 711, 679), (128, 841, 809), (256, 1345, 1313),
    (512, 2377, 2345), (1024, 4417, 4385), (1536, 6471, 6439), (2048, 8521, 8489),
])  # fmt: skip
def test_tabulated_values_of_the_reference(rows: int, table8: int, table16: int) -> None:
    assert vertex_cycles(rows, 1, 1, 1, 1, 64, 16, False, False, 6) == table8
    assert vertex_cycles(rows, 1, 1, 1, 1, 32, 16, False, False, 6) == table16


@pytest.mark.parametrize(
    ("rows", "inner", "cols", "measured"),
    [
        (244, 64, 64, 18576),
        (82, 96, 160, 29508),
        (122, 80, 128, 26232),
        (81, 80, 80, 12402),
        (146, 48, 48, 7122),
        (56, 64, 80, 8076),
    ],
)
def test_an_independent_matrix_product_is_within_five_percent(rows: int, inner: int, cols: int, measured: int) -> None:
    # Another compiler's kernel with 128-bit weight loads: the structure of the cost is the hardware's.
    cycles = vertex_cycles(rows, 1, -(-inner // 16), -(-cols // 16), 1, 32, 16, False, False, 6)
    assert cycles == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize(("elements", "raw"), [(10, 329), (1024, 1860)])
def test_float_add_misses_a_constant(elements: int, raw: int) -> None:
    missing = raw - TIMER_CYCLES - add_cycles(elements, 2, True, False, 6)
    assert 80 <= missing <= 83


@pytest.mark.parametrize(("elements", "raw"), [(64, 375), (128, 467), (256, 665), (512, 1043)])
def test_scaled_add_misses_a_constant(elements: int, raw: int) -> None:
    missing = raw - TIMER_CYCLES - scaled_add_cycles(elements, 2, 3, False, 6)
    assert 51 <= missing <= 53
