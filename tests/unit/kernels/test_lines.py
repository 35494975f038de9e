import numpy as np
import pytest

from ipusim.kernels.lines import Lines, copy_lines
from ipusim.kernels.workers import Workers


@pytest.mark.parametrize("flipped", [False, True])
def test_lines_are_the_pieces_side_by_side(flipped):
    matrices = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    # the one tile has columns 4 and 5 of the first matrix (one of them beyond its edge), then 0 to 2 of the second
    boxes = np.array([[0, 1, 1, 4, 4, 7], [1, 2, 1, 4, 0, 3]])
    stored = matrices
    if flipped:
        stored, boxes = np.ascontiguousarray(matrices.swapaxes(1, 2)), boxes[:, [0, 1, 4, 5, 2, 3]]
    out = np.zeros((1, 3, 6), np.float32)
    with Workers(1) as workers:
        copy_lines(Lines(stored, boxes, np.array([0, 2]), flipped, 3), out, workers)
    expected = np.zeros((3, 6))
    expected[:, :2], expected[:, 3:] = matrices[0, 1:4, 4:6], matrices[1, 1:4, 0:3]
    assert np.array_equal(out[0], expected)
