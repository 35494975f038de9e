import gzip
import json

import numpy as np
import pytest

from ipusim.engine.memory import Allocation, MemoryMap
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.report import chrome_trace
from ipusim.report.chrome_trace import compress_trace, render_trace
from ipusim.report.timeline import operator_spans, timeline

_REQUIRED = {"X": {"ts", "dur", "cat", "args"}, "C": {"ts", "args"}, "M": {"args"}}


def _step(name, op, count=1, compute=(30, 20), exchange=(0, 10), sync=5):
    tile_compute, tile_exchange = (np.array(cycles, dtype=np.int64) for cycles in (compute, exchange))
    slowest = int(tile_compute.max()), int(tile_exchange.max())
    sync = sync if slowest[1] else 0
    moved = np.array([8, 0]), np.array([0, 8])
    return SuperstepTime(
        name, op, count, slowest[0], sync, slowest[1], {"amp": slowest[0]}, tile_compute, tile_exchange, *moved
    )


_LOOP = Trace(2, (_step("a", "p"), _step("b", "p", 3), _step("c", "p", 3, exchange=(0, 0)), _step("d", "q")))
_LOOPS = [(1, 2, 3)]


def _events(text, **wanted):
    events = json.loads(text)["traceEvents"]
    return [event for event in events if all(event.get(key) == value for key, value in wanted.items())]


def check_nesting(events):
    """Assert that the spans of every track are disjoint or nested, comparing whole nanoseconds."""
    tracks = {}
    for event in events:
        if event["ph"] == "X":
            span = round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)
            tracks.setdefault((event["pid"], event["tid"]), []).append(span)
    for spans in tracks.values():
        open_spans = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_spans and open_spans[-1] <= start:
                open_spans.pop()
            assert not open_spans or end <= open_spans[-1]
            open_spans.append(end)


@pytest.mark.parametrize("clock_hz", [1.85e9, 1e9, 0.3e9])
def test_every_event_is_well_formed_and_nested(clock_hz):
    text = render_trace(_LOOP, _LOOPS, clock_hz, tiles=(0, 1), title="t")
    events = _events(text)
    for event in events:
        assert {"ph", "name", "pid", "tid"} | _REQUIRED[event["ph"]] <= set(event)
        assert event["ts"] >= 0
        assert event.get("dur", 0) >= 0
    check_nesting(events)


def test_loops_are_written_out_in_the_order_of_execution():
    text = render_trace(_LOOP, _LOOPS, 1e9)
    names = [event["name"] for event in _events(text, cat="superstep")]
    assert names == ["a", "b", "c", "b", "c", "b", "c", "d"]
    assert _events(text, cat="superstep")[-1]["ts"] + 0.045 == pytest.approx(_LOOP.cycles / 1000)
    assert [event["name"] for event in _events(text, cat="operator")] == ["p", "q"]


def test_too_many_supersteps_are_one_event_per_loop_member(monkeypatch):
    monkeypatch.setattr(chrome_trace, "MOST_SUPERSTEPS", 7)
    text = render_trace(_LOOP, _LOOPS, 1e9, tiles=(1,))
    steps = _events(text, cat="superstep")
    assert [event["name"] for event in steps] == ["a", "b x 3", "c x 3", "d"]
    assert sum(event["args"]["cycles"] for event in steps) == _LOOP.cycles
    assert json.loads(text)["otherData"]["loops"] != "written out"
    check_nesting(_events(text))


def test_phases_add_up_to_the_supersteps():
    text = render_trace(_LOOP, _LOOPS, 1e9)
    phases = sum(event["args"]["cycles"] for event in _events(text, cat="phase"))
    assert phases == _LOOP.cycles == sum(event["args"]["cycles"] for event in _events(text, cat="superstep"))


def test_a_tile_has_its_own_cycles_and_bytes():
    text = render_trace(_LOOP, _LOOPS, 1e9, tiles=(1,))
    first = _events(text, pid=2, cat="compute")[0]
    assert (first["ts"], first["dur"], first["tid"]) == (0, 0.02, 2)
    exchange = _events(text, pid=2, cat="exchange")[0]
    assert (exchange["ts"], exchange["args"]["bytes received"]) == (0.035, 8)
    assert not _events(render_trace(_LOOP, _LOOPS, 1e9), pid=2)


def test_memory_counter_follows_the_allocations():
    items = (
        Allocation("w", "tensors", 0, 3, np.array([10, 20])),
        Allocation("x", "operands", 1, 2, np.array([50, 0])),
    )
    memory = MemoryMap(100, items, np.array([60, 20]), np.array([1, 0]))
    text = render_trace(_LOOP, _LOOPS, 1e9, memory)
    values = [event["args"]["bytes on the fullest tile"] for event in _events(text, name="bytes on the fullest tile")]
    assert values == [20, 60, 60, 60, 60, 60, 60, 20]


def test_compression_is_repeatable():
    text = render_trace(_LOOP, _LOOPS, 1e9)
    assert compress_trace(text) == compress_trace(text)
    assert gzip.decompress(compress_trace(text)).decode() == text


def test_hostile_names_stay_text():
    trace = Trace(2, (_step('"}</script>\n', "o\x00"),))
    (event,) = _events(render_trace(trace, [], 1e9), cat="superstep")
    assert event["name"] == '"}</script>\n'


def test_operator_spans_are_stretches():
    trace = Trace(2, (_step("a", "p"), _step("b", "q"), _step("c", "p")))
    spans = operator_spans(trace, timeline(trace, [], 10))
    assert spans == [("p", 0, 45), ("q", 45, 90), ("p", 90, 135)]
