"""Rules that the time of every program keeps, whatever the program and the chip."""

import numpy as np
import pytest
from handmade import Case, cases, document, lower_by_hand, problem_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.engine.charges import NONE
from ipusim.engine.memory import map_memory
from ipusim.engine.timing import time_program
from ipusim.pipeline.compiling import compile_workload
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

BOW = load_chip("bow")
TINY = load_chip("tiny")
OVERHEADS = (
    "exchange_mux_cycles",
    "exchange_tail_cycles",
    "exchange_row_cycles",
    "exchange_control_cycles_per_fragment",
    "exchange_phase_overhead_cycles",
    "sync_cycles",
    "compute_set_overhead_cycles",
)


@given(cases(), st.sampled_from((None, NONE)))
@settings(max_examples=80, deadline=None)
def test_the_total_is_the_sum_of_its_parts(case, charges):
    program = case.program
    trace = time_program(program, case.chip, charges)
    assert [(step.name, step.count) for step in trace.steps] == [
        (step.name, count) for step, count in program.supersteps()
    ]
    assert trace.cycles == sum(step.count * step.cycles for step in trace.steps)
    assert trace.cycles == sum(trace.by_phase().values()) == sum(trace.terms().values()) == trace.op_cycles("y")
    for step in trace.steps:
        assert step.compute_cycles == step.tile_compute.max()
        assert step.exchange_cycles == step.tile_exchange.max()
        assert step.compute_cycles + step.sync_cycles + step.exchange_cycles == sum(step.terms.values())
        assert (step.sync_cycles > 0) == (charges is None and step.bytes_received.any())
        assert min(step.tile_compute.min(), step.tile_exchange.min(), *step.terms.values()) >= 0
    assert 0 <= trace.idle_fraction() < 1
    assert trace.bytes_exchanged() == sum(int(step.bytes_received.sum()) * step.count for step in trace.steps)


def _cycles(case, **fields):
    return time_program(case.program, case.chip.replace(**fields)).cycles


@given(cases(), st.sampled_from(OVERHEADS), st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_smaller_overheads_are_never_slower(case, name, one, other):
    low, high = sorted((one, other))
    assert _cycles(case, **{name: low}) <= _cycles(case, **{name: high})


@given(cases(), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_more_exchange_bandwidth_is_never_slower(case, one, other):
    low, high = sorted((one, other))
    assert _cycles(case, exchange_bytes_per_cycle=high) <= _cycles(case, exchange_bytes_per_cycle=low)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_a_shared_bus_is_never_slower_than_a_bus_for_each_tile(case):
    assume(case.chip.n_tiles % 2 == 0)
    shared = _cycles(case, tiles_per_exchange_bus=2, exchange_bus_sharing=True, exchange_bus_rate_factor=2)
    assert shared <= _cycles(case, tiles_per_exchange_bus=2, exchange_bus_sharing=False, exchange_bus_rate_factor=2)


@given(cases(), st.integers(1, 16), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_faster_amp_is_never_slower(case, faster, less_fill):
    def modes(**change):
        return [mode.model_dump(mode="json") | change for mode in case.chip.amp_modes]

    slow = _cycles(case, amp_modes=modes(cycles_per_row=16, worker_fill_slots=60))
    assert _cycles(case, amp_modes=modes(cycles_per_row=faster, worker_fill_slots=60 - less_fill)) <= slow
    most = case.chip.amp_load_bytes_per_cycle
    assert _cycles(case, amp_load_bytes_per_cycle=2 * most) <= _cycles(case, amp_load_bytes_per_cycle=most)


@given(cases(), st.sampled_from((1, 2, 4, 16)))
@settings(max_examples=40, deadline=None)
def test_more_memory_is_never_slower_for_the_same_program(case, factor):
    assert _cycles(case, tile_sram_bytes=factor * case.chip.tile_sram_bytes) <= _cycles(case)


@given(cases(), st.floats(1e6, 1e10))
@settings(max_examples=20, deadline=None)
def test_cycles_do_not_depend_on_the_clock(case, clock_hz):
    assert _cycles(case, clock_hz=clock_hz) == _cycles(case)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_the_same_input_gives_the_same_times(case):
    one, other = (time_program(case.program, case.chip) for _ in range(2))
    for first, second in zip(one.steps, other.steps, strict=True):
        assert dict(first.terms) == dict(second.terms)
        for name in ("tile_compute", "tile_exchange", "bytes_sent", "bytes_received"):
            assert np.array_equal(getattr(first, name), getattr(second, name))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.sampled_from(("float16", "float32")))
@settings(max_examples=25, deadline=None)
def test_memory_is_within_the_sram_or_the_workload_infeasible(m, k, n, dtype):
    compiled = compile_workload(document(problem_of(m, k, n, dtype)), TINY)
    assert compiled.program is not None
    assert compiled.fits == (compiled.memory.peak_bytes <= TINY.tile_sram_bytes).all()


def _large(n_tiles):
    # The same work for every tile, with reduction, broadcast and serial slices.
    rows = n_tiles // 40
    return Case(
        BOW.replace(n_tiles=n_tiles),
        problem_of(16 * 4 * 4, 16 * 10, 6 * rows),
        Variant(AMP_1X1, 16, 16, 16, 1),
        Split(1, rows, 10, 4, 1, 4, 1),
    )


@pytest.mark.parametrize("n_tiles", [40, 1480, pytest.param(100_000, marks=pytest.mark.slow)])
def test_any_number_of_tiles_is_timed_alike(n_tiles):
    case = _large(n_tiles)
    trace = time_program(case.program, case.chip)
    assert all(len(step.tile_compute) == n_tiles for step in trace.steps)
    # Nothing but the weights depends on the number of row parts: those are shared by more tiles.
    terms, few = trace.terms(), time_program(_large(40).program, _large(40).chip).terms()
    for term in ("amp", "reduce", "update", "inputs", "partials", "compute set"):
        assert terms[term] == few[term], term
    assert terms["slice"] <= few["slice"]
    assert time_program(case.program, case.chip, NONE).terms()["amp"] == case.plan.estimate.amp
    memory = map_memory(case.program, case.chip)
    assert len(memory.peak_bytes) == n_tiles
    assert memory.fits


def test_a_hundred_thousand_tiles_are_no_special_case():
    chip = TINY.replace(n_tiles=100_000)
    program = lower_by_hand(problem_of(8, 16, 8), chip, Variant(AMP_1X1, 2, 4, 2, 1), Split(1, 2, 1, 2, 1, 1, 0))
    trace = time_program(program, chip)
    assert trace.cycles == 777
    assert (trace.busy() > 0).sum() == 4
