import csv
from pathlib import Path

import numpy as np
import pytest

from ipusim.cost.worker_split import field_pieces, widest_share, worker_pieces
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "worker_split.csv"
ROWS = [
    (int(row["rows"]), int(row["cols"]), row["tiles_rowsxcols_sorted"].split())
    for row in csv.DictReader(VECTORS.open())
]


@pytest.mark.parametrize(("rows", "cols", "expected"), ROWS)
def test_every_split_of_the_published_library(rows, cols, expected):
    pieces = sorted((height, width) for _, height, _, width in worker_pieces(rows, cols, 6))
    assert pieces == sorted(tuple(map(int, piece.split("x"))) for piece in expected)


def test_compiled_split_is_the_same():
    split = compiled(worker_pieces)
    for rows, cols, _ in ROWS:
        assert split(rows, cols, 6) == worker_pieces(rows, cols, 6)


@pytest.mark.parametrize("workers", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("cols", [1, 2, 5, 7, 16])
@pytest.mark.parametrize("rows", [1, 2, 3, 12, 13, 31])
def test_pieces_cover_the_rectangle_once_and_use_no_more_workers(rows, cols, workers):
    covered = np.zeros((rows, cols), int)
    pieces = worker_pieces(rows, cols, workers)
    for row, height, col, width in pieces:
        covered[row : row + height, col : col + width] += 1
    assert (covered == 1).all()
    assert len(pieces) == min(workers, rows * cols)


def test_what_is_halved_and_along_which_axis():
    # of equal pieces the first one; a square along its columns, a higher piece along its rows
    assert worker_pieces(1, 4, 3) == [(0, 1, 0, 1), (0, 1, 2, 2), (0, 1, 1, 1)]
    assert worker_pieces(3, 3, 2) == [(0, 3, 0, 2), (0, 3, 2, 1)]
    assert worker_pieces(3, 2, 2) == [(0, 2, 0, 2), (2, 1, 0, 2)]


def test_widest_share():
    # 64 columns: five pieces of 11 with the remainder in the last, which is then halved
    assert widest_share(64, 6) == 11
    assert widest_share(3, 6) == 1


def test_pieces_of_a_worker_by_hand():
    # 3 lines of 5 elements on 6 workers: shares of 2 and 3 elements, of which none goes past the end of a line
    assert [field_pieces(worker, 6, 3, 5) for worker in range(6)] == [(2, 0, 0), (3, 0, 0)] * 3
    # on two workers: 7 elements are a line and 2 of the next, and then its other 3 and a line
    assert [field_pieces(worker, 2, 3, 5) for worker in range(2)] == [(5, 0, 2), (3, 1, 0)]
    # 7 lines of 2 on three workers: 4, 5 and 5 elements
    assert [field_pieces(worker, 3, 7, 2) for worker in range(3)] == [(2, 1, 0), (2, 1, 1), (1, 2, 0)]
    assert field_pieces(0, 6, 1, 3) == (0, 0, 0)
    assert field_pieces(5, 6, 1, 3) == (1, 0, 0)
