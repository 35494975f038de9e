"""Refusals of the element-wise kernels; their results are checked in tests/properties."""

from __future__ import annotations

import numpy as np
import pytest

from ipusim.ir.regions import Regions, whole_boxes
from ipusim.kernels.elementwise import combine_regions
from ipusim.kernels.workers import Workers

ONES = np.ones((1, 4, 4), np.float32)


def test_a_source_of_another_length_is_refused():
    whole = whole_boxes(np.array([[0, 1, 0, 4, 0, 4]]))
    part = Regions(whole.box, whole.begin, whole.end - 1)
    with Workers(1) as workers, pytest.raises(ValueError, match="not as many elements"):
        combine_regions(ONES.copy(), whole, ONES, part, workers)


def test_a_vertex_without_sources_leaves_its_result_alone():
    whole = whole_boxes(np.array([[0, 1, 0, 4, 0, 4]]))
    none = whole_boxes(np.zeros((0, 6)))
    out = ONES.copy()
    with Workers(1) as workers:
        combine_regions(out, whole, ONES, none, workers, segments=np.array([0, 0]))
    assert np.array_equal(out, ONES)
