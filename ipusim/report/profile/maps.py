"""Cycles and bytes of every tile: of the whole program, of operators, and of single supersteps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ipusim.engine.trace import SuperstepTime, Trace
from ipusim.ir.regions import IntArray
from ipusim.report.profile.pack import Cells, pack

MOST_CHARACTERS = 2_000_000
"""Maps are kept, the costliest operators and supersteps first, until they take this much."""

_QUANTITIES = ("compute", "exchange", "sent", "received")


def tile_maps(trace: Trace, ops: Iterable[str], cells: Cells, by_step: bool = True) -> dict[str, Any]:
    """Return the maps of a run; without `by_step`, none of single supersteps.

    Returns
    -------
    dict
        ``maps``: list of dicts with the packed ``compute`` and ``exchange`` cycles, ``sent`` and ``received`` bytes of
        every cell; ``whole``, ``ops``, ``steps``: index into it of the whole program, of operators by position and of
        one run of supersteps by position. Equal maps are kept once.
    """
    store = _Store(cells)
    whole = store.add(_sums(trace.steps, trace.n_tiles))
    by_op: dict[str, list[SuperstepTime]] = {}
    for step in trace.steps:
        by_op.setdefault(step.op, []).append(step)
    wanted: list[tuple[int, str, int, list[SuperstepTime]]] = []
    for index, op in enumerate(ops):
        steps = by_op.get(op, [])
        if steps:
            wanted.append((sum(step.cycles * step.count for step in steps), "ops", index, steps))
    for index, step in enumerate(trace.steps if by_step else ()):
        wanted.append((step.cycles * step.count, "steps", index, [step]))
    wanted.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    found: dict[str, dict[str, int]] = {"ops": {}, "steps": {}}
    for _, kind, index, steps in wanted:
        if store.is_full:
            break
        once = kind == "steps"
        found[kind][str(index)] = store.add(_sums(steps, trace.n_tiles, once))
    return {"maps": store.maps, "whole": whole, **found}


class _Store:
    """Packed maps, each once."""

    def __init__(self, cells: Cells) -> None:
        self.maps: list[dict[str, str]] = []
        self._cells = cells
        self._known: dict[tuple[str, ...], int] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > MOST_CHARACTERS

    def add(self, arrays: tuple[IntArray, ...]) -> int:
        packed = tuple(pack(self._cells.largest(array)) for array in arrays)
        if packed not in self._known:
            self._known[packed] = len(self.maps)
            self._size += sum(len(text) for text in packed)
            self.maps.append(dict(zip(_QUANTITIES, packed, strict=True)))
        return self._known[packed]


def _sums(steps: Iterable[SuperstepTime], n_tiles: int, once: bool = False) -> tuple[IntArray, ...]:
    totals: tuple[IntArray, ...] = tuple(np.zeros(n_tiles, dtype=np.int64) for _ in _QUANTITIES)
    for step in steps:
        arrays = step.tile_compute, step.tile_exchange, step.bytes_sent, step.bytes_received
        for total, array in zip(totals, arrays, strict=True):
            total += array if once else array * step.count
    return totals
