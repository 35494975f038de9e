"""How a reduction along one axis is split over tiles."""

from __future__ import annotations

from typing import NamedTuple

from ipusim.chip.model import Chip
from ipusim.codelets.reduce_rows import vertex_cycles
from ipusim.cost.arithmetic import ceil_div

LEAST_PART = 16
"""Fewest reduced elements that a tile gets."""


class AxisSplit(NamedTuple):
    """Parts of the outer, reduced and inner axis."""

    outer: int
    reduced: int
    inner: int


def plan_axis_reduction(
    outer: int, reduced: int, inner: int, element_bytes: int, add: bool, chip: Chip, parts: int | None = None
) -> AxisSplit:
    """Return the split with the fewest estimated cycles: results over the tiles first, then parts of each result.

    Parameters
    ----------
    outer, reduced, inner : int
        Extents of ``[outer, reduced, inner]``.
    element_bytes : int
        2 or 4.
    add : bool
        A sum or a sum of squares.
    chip : Chip
    parts : int, optional
        Parts of each result, instead of the best number.

    Notes
    -----
    Several parts cost an exchange of the partial results and a second vertex, and are tried by powers of two.
    """
    vector = chip.data_path_bytes // element_bytes
    p_outer = min(outer, chip.n_tiles)
    p_inner = max(1, min(ceil_div(inner, vector), chip.n_tiles // p_outer))
    if parts:
        return AxisSplit(p_outer, max(1, min(parts, reduced, chip.n_tiles // (p_outer * p_inner))), p_inner)
    wide = element_bytes == 4
    share = (ceil_div(outer, p_outer), ceil_div(inner, p_inner))
    phase = int(
        chip.sync_cycles
        + chip.exchange_mux_cycles
        + chip.exchange_tail_cycles
        + chip.exchange_phase_overhead_cycles
        + chip.compute_set_overhead_cycles
    )
    best, cut = None, 1
    workers = chip.worker_contexts
    candidate = 1
    while candidate == 1 or (candidate * p_outer * p_inner <= chip.n_tiles and reduced >= candidate * LEAST_PART):
        cycles = vertex_cycles(share[0], ceil_div(reduced, candidate), share[1], wide, wide, add, workers)
        if candidate > 1:
            cycles += phase + vertex_cycles(share[0], candidate, share[1], True, wide, add, workers)
        if best is None or cycles < best:
            best, cut = cycles, candidate
        candidate *= 2
    return AxisSplit(p_outer, cut, p_inner)
