"""Sets of whole numbers as sorted, disjoint, half-open intervals: two int64 arrays of equal length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ipusim.ir.regions import IntArray, Regions


class Intervals(NamedTuple):
    """The numbers ``start[i]:end[i]``; ascending and neither overlapping nor touching if made by :func:`union`."""

    start: IntArray
    end: IntArray


_NONE = np.zeros(0, dtype=np.int64)
EMPTY = Intervals(_NONE, _NONE)


def union(*sets: Intervals) -> Intervals:
    """Return every number that is in any of the sets; they may be unsorted and overlap within themselves."""
    start = np.concatenate([each.start for each in sets])
    end = np.concatenate([each.end for each in sets])
    kept = end > start
    start, end = start[kept], end[kept]
    if len(start) == 0:
        return EMPTY
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reach = np.maximum.accumulate(end)
    opens = np.ones(len(start), dtype=bool)
    opens[1:] = start[1:] > reach[:-1]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(start)) - 1
    return Intervals(start[first], reach[last])


def overlapping(intervals: Intervals) -> int | None:
    """Return a number that more than one of the intervals contains, or None."""
    order = np.argsort(intervals.start, kind="stable")
    start, end = intervals.start[order], intervals.end[order]
    filled = end > start
    start, end = start[filled], end[filled]
    reach = np.maximum.accumulate(end) if len(end) else end
    twice = np.flatnonzero(start[1:] < reach[:-1])
    return int(start[1:][twice[0]]) if len(twice) else None


def difference(intervals: Intervals, cut: Intervals, offset: IntArray | None = None) -> tuple[Intervals, IntArray]:
    """Return what is left of each interval without the numbers of `cut`, and which interval each piece is from.

    Parameters
    ----------
    intervals : Intervals
        Any intervals.
    cut : Intervals
        Made by :func:`union`.
    offset : int64 array [n], optional
        Added to the numbers of `cut` for each interval: the same set is cut out of several stretches of the line.

    Returns
    -------
    Intervals, int64 array
        Pieces in the order of their intervals.
    """
    shift = np.zeros(len(intervals.start), dtype=np.int64) if offset is None else offset
    start, end = intervals.start - shift, intervals.end - shift
    low = np.searchsorted(cut.end, start, side="right")
    high = np.searchsorted(cut.start, end, side="left")
    pieces = np.maximum(high - low, 0) + 1
    owner = np.repeat(np.arange(len(start)), pieces)
    gap = low[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    bounds_low = np.concatenate([[np.iinfo(np.int64).min], cut.end])
    bounds_high = np.concatenate([cut.start, [np.iinfo(np.int64).max]])
    left = np.maximum(start[owner], bounds_low[gap])
    right = np.minimum(end[owner], bounds_high[gap])
    kept = np.flatnonzero(right > left)
    owner = owner[kept]
    return Intervals(left[kept] + shift[owner], right[kept] + shift[owner]), owner


def flat_runs(regions: Regions, shape: tuple[int, int, int]) -> tuple[Intervals, IntArray]:
    """Return the flat, row-major element numbers of regions of a variable, and which region each run is from.

    Parameters
    ----------
    regions : Regions [n]
        Of one iteration. What lies outside of the variable is left out.
    shape : tuple of three int
        Of the variable.
    """
    width = regions.box[:, 5] - regions.box[:, 4]
    filled = regions.end > regions.begin
    safe = np.maximum(width, 1)
    first = regions.begin // safe
    lines = np.where(filled, (regions.end - 1) // safe - first + 1, 0)
    owner = np.repeat(np.arange(len(regions)), lines)
    line = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(lines) - lines, lines)
    box, width = regions.box[owner], width[owner]
    height = box[:, 3] - box[:, 2]
    group, row = box[:, 0] + line // height, box[:, 2] + line % height
    low = np.minimum(box[:, 4] + np.maximum(regions.begin[owner] - line * width, 0), shape[2])
    high = np.minimum(box[:, 4] + np.minimum(regions.end[owner] - line * width, width), shape[2])
    inside = (group < shape[0]) & (row < shape[1]) & (high > low)
    start = (group * shape[1] + row) * shape[2]
    return Intervals((start + low)[inside], (start + high)[inside]), owner[inside]
