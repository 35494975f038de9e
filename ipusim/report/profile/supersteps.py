"""The supersteps of a run in columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.report.timeline import Loop

MOST_SUPERSTEPS = 8000
"""Of more supersteps, all that follow each other in one operator are one row, and their loops are not kept."""


def superstep_columns(trace: Trace, loops: Sequence[Loop], ops: Sequence[str]) -> dict[str, Any]:
    """Return the supersteps as columns of equal length.

    Returns
    -------
    dict
        ``name``; ``op`` (position of the operator); ``count`` (runs); ``compute, sync, exchange`` (cycles of one run);
        ``mean`` (compute cycles of the mean tile), ``tiles`` (that compute), ``bytes`` (received by all tiles, one
        run); ``loops``: first row, rows and runs of each loop; ``merged``: whether rows stand for several supersteps.
    """
    place = {op: index for index, op in enumerate(ops)}
    merged = len(trace.steps) > MOST_SUPERSTEPS
    groups = _merged(trace) if merged else [(step.name, (step,), step.count) for step in trace.steps]
    rows = [_row(name, steps, count, place) for name, steps, count in groups]
    columns: dict[str, Any] = {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
    return {**columns, "loops": [] if merged else [list(loop) for loop in loops], "merged": merged}


def _merged(trace: Trace) -> list[tuple[str, tuple[SuperstepTime, ...], int]]:
    groups = ((op, tuple(steps)) for op, steps in groupby(trace.steps, key=lambda step: step.op))
    return [
        (steps[0].name, steps, steps[0].count)
        if len(steps) == 1
        else (f"{op}, {sum(step.count for step in steps)} supersteps", steps, 1)
        for op, steps in groups
    ]


def _row(name: str, steps: Sequence[SuperstepTime], count: int, place: dict[str, int]) -> dict[str, Any]:
    runs = [1] if len(steps) == 1 else [step.count for step in steps]
    pairs = list(zip(steps, runs, strict=True))
    return {
        "name": name,
        "op": place.get(steps[0].op, -1),
        "count": count,
        "compute": sum(step.compute_cycles * run for step, run in pairs),
        "sync": sum(step.sync_cycles * run for step, run in pairs),
        "exchange": sum(step.exchange_cycles * run for step, run in pairs),
        "mean": round(sum(float(step.tile_compute.mean()) * run for step, run in pairs), 1),
        "tiles": max(int(np.count_nonzero(step.tile_compute)) for step in steps),
        "bytes": sum(int(step.bytes_received.sum()) * run for step, run in pairs),
    }
