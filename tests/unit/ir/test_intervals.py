"""Interval sets against Python's own sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ipusim.ir.intervals import Intervals, difference, flat_runs, overlapping, union
from ipusim.ir.regions import Regions

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=12)


def intervals(found: list[tuple[int, int]]) -> Intervals:
    start = np.array([first for first, _ in found], dtype=np.int64)
    return Intervals(start, start + np.array([length for _, length in found], dtype=np.int64))


def numbers(found: Intervals) -> list[int]:
    return [number for first, last in zip(*found, strict=True) for number in range(first, last)]


@given(st.lists(spans, min_size=1, max_size=3))
def test_union_has_every_number_once_in_apart_intervals(found):
    sets = [intervals(each) for each in found]
    joined = union(*sets)
    assert numbers(joined) == sorted({number for each in sets for number in numbers(each)})
    assert (joined.start[1:] > joined.end[:-1]).all()


@given(spans)
def test_overlapping_finds_a_number_that_is_there_twice(found):
    made = intervals(found)
    every = numbers(made)
    twice = overlapping(made)
    assert (twice is None) == (len(every) == len(set(every)))
    assert twice is None or every.count(twice) > 1


@given(spans, spans, st.lists(st.integers(-5, 5), min_size=12, max_size=12))
def test_difference_keeps_what_is_not_cut_and_says_from_where(found, cut, shifts):
    made, removed = intervals(found), union(intervals(cut))
    offset = np.array(shifts[: len(found)], dtype=np.int64)
    pieces, owner = difference(made, removed, offset)
    gone = set(numbers(removed))
    for index, (first, length) in enumerate(found):
        kept = [number for number in range(first, first + length) if number - shifts[index] not in gone]
        mine = Intervals(pieces.start[owner == index], pieces.end[owner == index])
        assert numbers(mine) == kept
    assert (np.diff(owner) >= 0).all()


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    st.lists(
        st.tuples(*[st.integers(0, 3), st.integers(0, 3)] * 3, st.integers(0, 30), st.integers(0, 30)), max_size=4
    ),
)
def test_flat_runs_are_the_elements_of_regions(shape, found):
    boxes, begins, ends = [], [], []
    for g, dg, r, dr, c, dc, one, other in found:
        volume = dg * dr * dc
        boxes.append([g, g + dg, r, r + dr, c, c + dc])
        begins.append(min(one, other, volume))
        ends.append(min(max(one, other), volume))
    regions = Regions(np.array(boxes, dtype=np.int64).reshape(-1, 6), np.array(begins, int), np.array(ends, int))
    runs, owner = flat_runs(regions, shape)
    for index, (box, begin, end) in enumerate(zip(boxes, begins, ends, strict=True)):
        places = [
            (g, r, c) for g in range(box[0], box[1]) for r in range(box[2], box[3]) for c in range(box[4], box[5])
        ][begin:end]
        inside = [at for at in places if all(x < extent for x, extent in zip(at, shape, strict=True))]
        mine = Intervals(runs.start[owner == index], runs.end[owner == index])
        assert numbers(mine) == [int(np.ravel_multi_index(at, shape)) for at in inside]
