"""Regions as parts of one long row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ipusim.ir.regions import as_one_row, whole_boxes

EXTENTS = st.tuples(*[st.integers(1, 4)] * 3)


@given(EXTENTS, st.data())
def test_a_row_has_the_elements_of_the_boxes_in_their_order(shape, data):
    numbers = np.arange(np.prod(shape)).reshape(shape)
    bounds = [sorted(data.draw(st.tuples(*[st.integers(0, extent + 1)] * 2))) for extent in shape]
    box = np.array([[edge for pair in bounds for edge in pair]])
    (g0, g1), (r0, r1), (c0, c1) = bounds
    held = numbers[g0:g1, r0:r1, c0:c1].reshape(-1)
    row = as_one_row(whole_boxes(box), shape)
    inside = all(high <= extent for (_, high), extent in zip(bounds, shape, strict=True))
    if row is not None:
        assert inside
        assert np.array_equal(numbers.reshape(-1)[row.box[0, 4] : row.box[0, 5]], held)
    elif inside:
        assert not len(held) or not np.array_equal(np.diff(held), np.ones(len(held) - 1))
