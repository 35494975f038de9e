"""A run as a Chrome trace, for ui.perfetto.dev and chrome://tracing.

One track shows operators, in them supersteps, in them the phases; counters show the tiles at work, the exchange rate
and the memory of the fullest tile. Chosen tiles have a track each, on which a gap is waiting.
Format: Google's "Trace Event Format", the JSON object form with complete (``X``), counter (``C``) and metadata (``M``)
events. Times are whole nanoseconds, so that what is nested in cycles is nested in the file.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ipusim.engine.memory import MemoryMap
from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.report.liveness import fullest_by_step
from ipusim.report.timeline import Loop, Occurrence, operator_spans, timeline

MOST_SUPERSTEPS = 20_000
"""Loops are written out as long as there are no more supersteps than this."""
MOST_TILE_EVENTS = 400_000
"""Fewer supersteps are written out where many tiles have tracks."""

Event = dict[str, Any]

_CHIP, _TILES = 1, 2
_PROGRAM_TRACK = 1
_COLOURS = {"compute": "good", "sync": "grey", "exchange": "bad"}


def render_trace(
    trace: Trace,
    loops: Sequence[Loop],
    clock_hz: float,
    memory: MemoryMap | None = None,
    tiles: Sequence[int] = (),
    title: str = "",
) -> str:
    """Return the trace of a run as JSON text.

    Parameters
    ----------
    trace : Trace
    loops : sequence of (int, int, int)
        As :func:`~ipusim.report.timeline.program_loops` gives them.
    clock_hz : float
        Turns cycles into time.
    memory : MemoryMap, optional
        Adds the counter of the fullest tile.
    tiles : sequence of int
        Tiles with a track of their own.
    title : str
        What ran on what.
    """
    most = min(MOST_SUPERSTEPS, MOST_TILE_EVENTS // (2 * len(tiles)) if tiles else MOST_SUPERSTEPS)
    found = timeline(trace, loops, most)
    ns = 1e9 / clock_hz
    events = [*_names(title, tiles), *_program(trace, found, ns), *_counters(trace, found, ns, memory)]
    for tile in tiles:
        events += _tile(trace, found, ns, tile)
    document = {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "title": title,
            "clock_hz": clock_hz,
            "cycles": trace.cycles,
            "supersteps": trace.n_supersteps,
            "loops": "written out"
            if all(each.runs == 1 for each in found)
            else "one event for all runs of a superstep",
        },
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n"


def compress_trace(text: str) -> bytes:
    """Return the text of a trace with gzip; the same text always gives the same bytes."""
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def _names(title: str, tiles: Sequence[int]) -> Iterator[Event]:
    yield _meta("process_name", _CHIP, 0, f"chip: {title}" if title else "chip")
    yield _meta("thread_name", _CHIP, _PROGRAM_TRACK, "program")
    if tiles:
        yield _meta("process_name", _TILES, 0, "tiles")
    for tile in tiles:
        yield _meta("thread_name", _TILES, tile + 1, f"tile {tile}")


def _meta(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "ts": 0, "args": {"name": name}}


def _program(trace: Trace, found: Sequence[Occurrence], ns: float) -> Iterator[Event]:
    for op, start, end in operator_spans(trace, found):
        yield _span(op, "operator", (_CHIP, _PROGRAM_TRACK), (start, end), ns, {"cycles": end - start})
    for each in found:
        step = trace.steps[each.index]
        name = step.name if each.runs == 1 else f"{step.name} x {each.runs}"
        details = {"superstep": each.index + 1, "run": each.run + 1, "of": step.count, "operator": step.op}
        details["cycles"] = step.cycles * each.runs
        end = each.start + step.cycles * each.runs
        yield _span(name, "superstep", (_CHIP, _PROGRAM_TRACK), (each.start, end), ns, {**details, **step.terms})
        yield from _phases(step, each, ns)


def _phases(step: SuperstepTime, each: Occurrence, ns: float) -> Iterator[Event]:
    clock = each.start
    for phase, cycles in _parts(step):
        if cycles:
            end = clock + cycles * each.runs
            event = _span(phase, "phase", (_CHIP, _PROGRAM_TRACK), (clock, end), ns, {"cycles": end - clock})
            yield {**event, "cname": _COLOURS[phase]}
            clock = end


def _parts(step: SuperstepTime) -> tuple[tuple[str, int], ...]:
    return ("compute", step.compute_cycles), ("sync", step.sync_cycles), ("exchange", step.exchange_cycles)


def _counters(trace: Trace, found: Sequence[Occurrence], ns: float, memory: MemoryMap | None) -> Iterator[Event]:
    busy = [int((step.tile_compute > 0).sum()) for step in trace.steps]
    moved = [int(step.bytes_received.sum()) for step in trace.steps]
    held = None if memory is None else fullest_by_step(memory, len(trace.steps))
    for each in found:
        step = trace.steps[each.index]
        exchange = each.start + (step.compute_cycles + step.sync_cycles) * each.runs
        yield _counter("tiles at work", each.start, busy[each.index], ns)
        if step.sync_cycles or step.exchange_cycles:
            yield _counter("tiles at work", each.start + step.compute_cycles * each.runs, 0, ns)
        if step.exchange_cycles:
            rate = moved[each.index] / step.exchange_cycles
            yield _counter("bytes received per cycle", exchange, round(rate, 1), ns)
            yield _counter("bytes received per cycle", each.start + step.cycles * each.runs, 0, ns)
        if held is not None:
            yield _counter("bytes on the fullest tile", each.start, int(held[each.index]), ns)
    for name in ("tiles at work", "bytes received per cycle"):
        yield _counter(name, trace.cycles, 0, ns)


def _tile(trace: Trace, found: Sequence[Occurrence], ns: float, tile: int) -> Iterator[Event]:
    """Yield when a tile computes and exchanges: it starts with the others, and waits for the slowest."""
    place = (_TILES, tile + 1)
    for each in found:
        step = trace.steps[each.index]
        compute, exchange = int(step.tile_compute[tile]) * each.runs, int(step.tile_exchange[tile]) * each.runs
        if compute:
            span = each.start, each.start + compute
            yield {**_span(step.name, "compute", place, span, ns, {"cycles": compute}), "cname": _COLOURS["compute"]}
        if exchange:
            start = each.start + (step.compute_cycles + step.sync_cycles) * each.runs
            details = {
                "cycles": exchange,
                "bytes sent": int(step.bytes_sent[tile]) * each.runs,
                "bytes received": int(step.bytes_received[tile]) * each.runs,
            }
            event = _span(step.name, "exchange", place, (start, start + exchange), ns, details)
            yield {**event, "cname": _COLOURS["exchange"]}


def _span(
    name: str, category: str, place: tuple[int, int], span: tuple[int, int], ns: float, details: Mapping[str, Any]
) -> Event:
    start, end = (round(cycle * ns) for cycle in span)
    times = {"ts": start / 1000, "dur": (end - start) / 1000}
    return {"ph": "X", "name": name, "cat": category, "pid": place[0], "tid": place[1], **times, "args": dict(details)}


def _counter(name: str, cycle: int, value: float, ns: float) -> Event:
    return {"ph": "C", "name": name, "pid": _CHIP, "tid": 0, "ts": round(cycle * ns) / 1000, "args": {name: value}}
