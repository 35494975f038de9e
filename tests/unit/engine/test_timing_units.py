"""Parts of the timing engine: equal vertices costed once, workers shared, terms that add up, a trace's sums."""

import numpy as np
import pytest
from handmade import lower_by_hand, problem_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ipusim.chip.load import load_chip
from ipusim.codelets.registry import codelet
from ipusim.engine.charges import NONE, charges_of
from ipusim.engine.timing import time_program, unique_rows, vertex_cycles
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.ir.program import Program, Repeat, Superstep, VertexSet
from ipusim.plan.dense_estimate import AMP_1X1, Split, Variant

TINY = load_chip("tiny")
BOW = load_chip("bow")


@given(
    arrays.arrays(
        np.int64,
        st.tuples(st.integers(1, 30), st.integers(1, 5)),
        elements=st.sampled_from((0, 1, 2, 1 << 20, 1 << 40)),
    )
)
def test_unique_rows_find_every_row(table):
    rows, inverse = unique_rows(table)
    assert np.array_equal(rows[inverse], table)
    assert len(rows) == len({tuple(row) for row in table.tolist()})


def _vertices(name, tile, settings, **fields):
    arrays_of = {key: np.asarray(values, dtype=np.int64) for key, values in fields.items()}
    return VertexSet(name, "work", np.asarray(tile, dtype=np.int32), arrays_of, (), settings)


def _program(*compute, n_tiles=4):
    return Program("p", n_tiles, {}, (Superstep("s", "op", compute),), {}, {})


def test_equal_vertices_are_costed_once(monkeypatch):
    calls = []
    kind = codelet("cast_1d")

    def counted(*arguments):
        calls.append(arguments)
        return kind.cycles(*arguments)

    monkeypatch.setattr("ipusim.engine.timing._formula", lambda *_: counted)
    settings = {"input": "float32", "output": "float16"}
    vertices = _vertices("cast_1d", np.arange(1000) % 4, settings, elements=[64] * 999 + [65])
    cycles = vertex_cycles(vertices, TINY, NONE)
    assert len(calls) == 2
    assert cycles.tolist() == [kind.cycles({"elements": 64}, settings, TINY)] * 999 + [
        kind.cycles({"elements": 65}, settings, TINY)
    ]


def test_vertices_for_all_workers_follow_one_another():
    settings = {"input": "float32", "output": "float16"}
    one = codelet("cast_1d").cycles({"elements": 100}, settings, TINY)
    vertices = _vertices("cast_1d", [0, 0, 2], settings, elements=[100, 100, 100])
    trace = time_program(_program(vertices), TINY)
    assert trace.steps[0].tile_compute.tolist() == [2 * one, 0, one, 0]


def test_vertices_for_one_worker_run_side_by_side():
    assert codelet("reduce_general_2d").one_worker
    fields = dict.fromkeys(codelet("reduce_general_2d").fields, 8)
    settings = {"op": "add", "dtype": "float32", "partials": "float32", "output": "float32"}
    one = codelet("reduce_general_2d").cycles(fields, settings, TINY)
    tile = [0, 1, 1, 2, 2, 2]
    vertices = _vertices("reduce_general_2d", tile, settings, **{name: [8] * 6 for name in fields})
    # Two workers: two vertices take as long as one, three take half as long again.
    assert time_program(_program(vertices), TINY).steps[0].tile_compute.tolist() == [one, one, -(-3 * one // 2), 0]


def test_vertex_sets_of_a_superstep_add_up_on_each_tile():
    settings = {"input": "float32", "output": "float16"}
    short, long = (codelet("cast_1d").cycles({"elements": n}, settings, TINY) for n in (10, 1000))
    one = _vertices("cast_1d", [0, 1], settings, elements=[1000, 10])
    other = _vertices("cast_1d", [1, 2], settings, elements=[1000, 1000])
    step = time_program(_program(one, other), TINY).steps[0]
    assert step.tile_compute.tolist() == [long, short + long, long, 0]
    assert step.compute_cycles == short + long
    assert step.terms == {"work": short + long}


@pytest.mark.parametrize(("name", "included"), [("amp_1x1", True), ("cast_1d", False), ("reduce_add", False)])
def test_who_pays_the_launch(name, included):
    assert codelet(name).launch_included is included


def test_the_launch_is_paid_once_by_tiles_with_work():
    settings = {"input": "float32", "output": "float16"}
    one = codelet("cast_1d").cycles({"elements": 10}, settings, TINY)
    vertices = _vertices("cast_1d", [1, 1], settings, elements=[10, 10])
    chip = TINY.replace(compute_set_overhead_cycles=60)
    step = time_program(_program(vertices), chip).steps[0]
    assert step.tile_compute.tolist() == [0, 2 * one + 60, 0, 0]
    assert step.terms == {"work": 2 * one, "compute set": 60}


def test_an_empty_program_takes_no_time():
    trace = time_program(Program("p", 4, {}, (), {}, {}), TINY)
    assert (trace.cycles, trace.n_supersteps, trace.terms()) == (0, 0, {})
    assert trace.idle_fraction() == 0
    assert trace.busy().tolist() == [0] * 4


def test_loops_are_counted_not_unrolled():
    settings = {"input": "float32", "output": "float16"}
    step = Superstep("s", "op", (_vertices("cast_1d", [0], settings, elements=[10]),))
    once = time_program(Program("p", 4, {}, (step,), {}, {}), TINY)
    many = time_program(Program("p", 4, {}, (Repeat(1000, (step,)), step), {}, {}), TINY)
    assert [time.count for time in many.steps] == [1000, 1]
    assert many.cycles == 1001 * once.cycles
    assert many.n_supersteps == 1001
    assert np.array_equal(many.busy(), 1001 * once.busy())


def _time(name, op, count, compute, sync, exchange, sent):
    tiles = np.array([compute, compute // 2])
    return SuperstepTime(
        name,
        op,
        count,
        compute,
        sync,
        exchange,
        {"work": compute},
        tiles,
        tiles,
        np.array([sent, 0]),
        np.array([0, sent]),
    )


def test_a_trace_adds_up_by_op_and_phase():
    trace = Trace(2, (_time("a", "one", 3, 100, 10, 20, 8), _time("b", "two", 1, 50, 0, 0, 0)))
    assert trace.cycles == 3 * 130 + 50
    assert trace.op_cycles("one") == 390
    assert trace.by_phase() == {"compute": 350, "exchange": 60, "sync": 30}
    assert trace.by_phase("two") == {"compute": 50, "exchange": 0, "sync": 0}
    assert trace.terms() == {"work": 350}
    assert trace.terms("two") == {"work": 50}
    assert trace.bytes_exchanged() == trace.bytes_exchanged("one") == 24
    assert trace.busy().tolist() == [350, 175]
    assert trace.idle_fraction() == pytest.approx(0.25)


def test_executed_cycles_and_estimates_differ_by_the_measured_line_only():
    program = lower_by_hand(problem_of(64, 64, 64), BOW, Variant(AMP_1X1, 16, 16, 16, 1), Split(1, 4, 2, 2, 1, 1, 0))
    charged = time_program(program, BOW).terms()
    plain = time_program(program, BOW, NONE).terms()
    assert {term for term in plain if charged[term] != plain[term] and not term.startswith("exchange")} == {"amp"}
    assert set(charged) - set(plain) == {"compute set", "sync", "exchange phase"}
    assert charges_of(BOW).executed
    assert not NONE.executed
