"""What moves where when a pattern overfills some buckets of a dynamic sparse product.

Plain loops over arrays, for :func:`ipusim.kernels.jit.compiled`. Non-zeros stand region by region, row by row; a piece
is a run of them that lies in one bucket. Source: reference/sparse.md section 2.8.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.dynamic_non_zeros import ROW_WORDS

IntArray = NDArray[np.int64]


def strip_overfull(
    starts: IntArray,
    stops: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
    header: int,
    max_groups: int,
    max_words: int,
) -> None:
    """Take whole rows off the end of every bucket that holds too much.

    Parameters
    ----------
    starts, stops : int64 array [buckets]
        Run of non-zeros of each bucket; `stops` is changed in place.
    row_index : int64 array [non-zeros]
        Ordinal of the row (within its region) of each non-zero.
    row_starts : int64 array [rows + 1]
        First non-zero of each such row.
    header, max_groups, max_words : int
        Words of a sub-group before its rows, and what a bucket holds.
    """
    for bucket in range(len(starts)):
        start, stop = starts[bucket], stops[bucket]
        while stop > start:
            rows = row_index[stop - 1] - row_index[start] + 1
            if stop - start <= max_groups and header + ROW_WORDS * rows + stop - start <= max_words:
                break
            stop = max(start, row_starts[row_index[stop - 1]])
        stops[bucket] = stop


def room_for(
    start: int,
    stop: int,
    row_index: IntArray,
    row_starts: IntArray,
    free_groups: int,
    free_words: int,
    cut_rows: bool,
) -> int:
    """Return where the first part of the run ``start:stop`` ends that fits into the free space of a bucket.

    Parameters
    ----------
    free_groups, free_words : int
        Free values, and free words after the header of a new sub-group; may be negative.
    cut_rows : bool
        Part of a row may be taken when the row does not fit.
    """
    cursor, words = start, 0
    while cursor < stop:
        end = min(stop, row_starts[row_index[cursor] + 1])
        room = min(free_groups - (cursor - start), free_words - words - ROW_WORDS)
        if end - cursor > room:
            return cursor + max(0, room) if cut_rows else cursor
        words += ROW_WORDS + end - cursor
        cursor = end
    return cursor


def rebalance(
    starts: IntArray,
    stops: IntArray,
    over_stops: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
    header: int,
    max_groups: int,
    max_words: int,
    scopes: IntArray,
    pieces: IntArray,
) -> tuple[int, int]:
    """Move what overflows into buckets with room, in widening scopes: first whole rows, then parts of rows.

    Parameters
    ----------
    starts, stops : int64 array [buckets]
        Run of non-zeros that stays in each bucket.
    over_stops : int64 array [buckets]
        The overflow of a bucket is the run from its `stops` to its `over_stops`.
    row_index, row_starts, header, max_groups, max_words
        As in :func:`strip_overfull`.
    scopes : int64 array [scopes]
        Numbers of consecutive buckets in which to look for room; each divides the next.
    pieces : int64 array [capacity, 4]
        Filled with bucket, home bucket, start and stop of what was moved.

    Returns
    -------
    tuple of two int
        Pieces written; or, where `pieces` is too short, -1. Non-zeros that found no room.
    """
    n_buckets = len(starts)
    cursors = stops.copy()
    used_groups = stops - starts
    used_words = np.zeros(n_buckets, np.int64)
    for bucket in range(n_buckets):
        if used_groups[bucket]:
            rows = row_index[stops[bucket] - 1] - row_index[starts[bucket]] + 1
            used_words[bucket] = header + ROW_WORDS * rows + used_groups[bucket]
    n_pieces = 0
    for scope in scopes:
        for cut_rows in (False, True):
            left = over_stops - cursors
            for source in np.argsort(-left, kind="mergesort"):
                if cursors[source] == over_stops[source]:
                    break
                base = source // scope * scope
                for step in range(scope):
                    # buckets travel upwards, so the bucket just below is met first
                    target = base + (source - base - step) % scope
                    start = cursors[source]
                    stop = room_for(
                        start,
                        over_stops[source],
                        row_index,
                        row_starts,
                        max_groups - used_groups[target],
                        max_words - used_words[target] - header,
                        cut_rows,
                    )
                    if stop == start:
                        continue
                    if n_pieces == len(pieces):
                        return -1, 0
                    pieces[n_pieces, 0] = target
                    pieces[n_pieces, 1] = source
                    pieces[n_pieces, 2] = start
                    pieces[n_pieces, 3] = stop
                    n_pieces += 1
                    rows = row_index[stop - 1] - row_index[start] + 1
                    used_groups[target] += stop - start
                    used_words[target] += header + ROW_WORDS * rows + stop - start
                    cursors[source] = stop
                    if stop == over_stops[source]:
                        break
    return n_pieces, int((over_stops - cursors).sum())
