import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipusim.comparison.break_even import ALWAYS, BELOW, NEVER, UNEVEN, UNKNOWN, break_evens, find_break_even
from ipusim.comparison.cell import Cell
from ipusim.comparison.outcome import INFEASIBLE, OK, Outcome
from ipusim.comparison.points import Condition, Point

_CONDITION = Condition(None, 64, "float16")
_DENSE = Outcome(OK, cycles=1_000_000)


def _cell(density, speedup, mode="static", block_size=16, baseline=_DENSE):
    phases = {"compute": 30, "exchange": 60, "sync": 10}
    outcome = (
        Outcome(INFEASIBLE, "too large")
        if speedup is None
        else Outcome(OK, cycles=1_000_000 / speedup, cycles_by_phase=phases)
    )
    return Cell(Point(_CONDITION, mode, block_size, density), outcome, baseline)


def _find(*speedups, densities=(1 / 4, 1 / 8, 1 / 16, 1 / 32)):
    return find_break_even([_cell(density, speedup) for density, speedup in zip(densities, speedups, strict=True)])


def test_between_two_cells():
    found = _find(0.5, 0.8, 1.25, 4.0)
    assert found.outcome == BELOW
    assert found.density == pytest.approx(1 / 128**0.5)
    assert (found.winner.point.density, found.loser.point.density) == (1 / 16, 1 / 8)
    assert (found.winner.bound_by, found.n_compared, found.missing) == ("exchange", 4, ())


def test_on_a_cell():
    assert _find(0.5, 1.0, 2.0, 4.0).density == pytest.approx(1 / 8)


@given(st.floats(-0.99, -0.2), st.floats(1 / 30, 1 / 5))
def test_a_power_law_is_met_exactly(exponent, density):
    found = _find(*((each / density) ** exponent for each in (1 / 4, 1 / 8, 1 / 16, 1 / 32)))
    assert found.outcome == BELOW
    assert found.density == pytest.approx(density)


def test_the_order_of_the_cells_does_not_matter():
    cells = [_cell(1 / 16, 1.25), _cell(1 / 4, 0.5), _cell(1 / 8, 0.8)]
    assert find_break_even(cells) == find_break_even(cells[::-1])


def test_always():
    found = _find(1.1, 2.0, 3.0, 4.0)
    assert (found.outcome, found.density, found.loser) == (ALWAYS, None, None)
    assert found.winner.point.density == 1 / 4
    assert found.sentence == "at block size 16, static wins at every density compared (1.10x at 1/4, mostly exchange)"


def test_never():
    found = _find(0.2, 0.3, 0.4, 1.0)
    assert (found.outcome, found.density, found.winner) == (NEVER, None, None)
    assert found.loser.point.density == 1 / 32


@pytest.mark.parametrize(("speedup", "verdict"), [(2.0, "wins (2.00x"), (0.5, "does not win (0.500x")])
def test_a_single_density(speedup, verdict):
    assert verdict in find_break_even([_cell(1 / 8, speedup)]).sentence


def test_what_does_not_fit_is_left_out_and_named():
    found = _find(None, 0.5, 2.0, None)
    assert (found.outcome, found.missing) == (BELOW, (1 / 32, 1 / 4))
    assert found.density == pytest.approx(1 / 128**0.5)
    assert found.sentence.endswith("; no figures at 1/32, 1/4")


def test_of_several_crossings_the_one_at_the_largest_density_counts():
    found = _find(0.8, 1.25, 0.5, 2.0)
    assert found.outcome == UNEVEN
    assert found.density == pytest.approx(1 / 32**0.5)
    assert "wins at some densities only, the last time below 1/5.66" in found.sentence


def test_winning_at_high_densities_only():
    found = _find(2.0, 2.0, 0.5, 0.5)
    assert (found.outcome, found.density) == (UNEVEN, None)
    assert (found.winner.point.density, found.loser.point.density) == (1 / 8, 1 / 16)
    assert "wins at high densities only" in found.sentence


def test_without_a_baseline_nothing_is_known():
    cell = _cell(1 / 8, 2.0, baseline=Outcome(INFEASIBLE, "a tile would need 2 MiB and has 1 MiB"))
    found = find_break_even([cell])
    assert (cell.speedup, found.outcome) == (None, UNKNOWN)
    assert found.sentence == (
        "at block size 16, static cannot be compared: no dense baseline, for a tile would need 2 MiB and has 1 MiB"
    )


def test_without_any_cell_nothing_is_known():
    assert _find(None, None, None, None).reason == "too large"


def test_sentence_and_document():
    found = _find(0.5, 0.8, 1.25, 4.0)
    assert found.sentence == (
        "at block size 16, static wins below density 1/11.3 (1.25x at 1/16, mostly exchange; 0.800x at 1/8, mostly "
        "exchange)"
    )
    assert found.to_dict() == {
        "features": None,
        "batch": 64,
        "dtype": "float16",
        "mode": "static",
        "block_size": 16,
        "outcome": BELOW,
        "density": found.density,
        "winner": {"density": 1 / 16, "speedup": 1.25, "cycles": 800_000, "bound_by": "exchange"},
        "loser": {"density": 1 / 8, "speedup": 0.8, "cycles": 1_250_000, "bound_by": "exchange"},
        "missing": [],
        "reason": "",
        "sentence": found.sentence,
    }


def test_one_for_every_mode_and_block_size():
    cells = [
        _cell(density, 2.0, mode, size) for mode in ("static", "dynamic") for size in (4, 16) for density in (0.1, 0.2)
    ]
    found = break_evens(cells)
    assert [(each.mode, each.block_size, each.n_compared) for each in found] == [
        ("static", 4, 2),
        ("static", 16, 2),
        ("dynamic", 4, 2),
        ("dynamic", 16, 2),
    ]
