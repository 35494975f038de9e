import csv
from pathlib import Path

import pytest

from ipusim.cost.dynamic_non_zeros import (
    bucket_groups,
    bucket_words,
    expected_row_length,
    expected_rows,
    header_words,
    stored_header_words,
)
from ipusim.kernels.jit import compiled

VECTORS = Path(__file__).parents[2] / "data" / "vectors" / "nz_groups.csv"
ROWS = [
    (float(r["density"]), int(r["x_groups"]), int(r["y_groups"]), int(r["x_nz"]), int(r["y_nz"]))
    for r in csv.DictReader(VECTORS.open())
]


@pytest.mark.parametrize(("density", "x", "y", "rows", "length"), [*ROWS, (1 / 16, 16, 16, 11, 2)])
def test_every_expectation_of_the_published_library(density, x, y, rows, length):
    assert expected_rows(density, x, y) == rows
    assert expected_row_length(density, x, y, rows) == length


def test_compiled_expectations_are_the_same():
    for density, x, y, rows, _ in ROWS:
        assert compiled(expected_rows)(density, x, y) == rows


def test_bucket_of_values_by_hand():
    # 1000 half elements over 48 tiles: 21 each, 27.3 with the allowance, 28 because the exchange moves 4 bytes
    assert bucket_groups(1000, 48, 0.3, 2, 4) == 28
    # half-way cases round up: 5 * 1.3 = 6.5
    assert bucket_groups(5, 1, 0.3, 512, 4) == 7
    assert type(bucket_groups(5, 1, 0.3, 2, 4)) is int


def test_metadata_words_by_hand():
    # 8x8 region of blocks, full: 8 rows of 8; 2*7 header words + 1.3 * 8 * (2 + 8) = 118, already a multiple of 4
    assert bucket_words(16, 1.0, 8, 8, 0.3, 1, False, 6, 4) == 120
    # two words for each group of non-zeros: 14 + 1.3 * 8 * (2 + 16) = 201.2
    assert bucket_words(16, 1.0, 8, 8, 0.3, 2, False, 6, 4) == 204
    # an exchange of single bytes still takes whole words: 14 + 1.3 * 2 * (2 + 8) = 40
    assert bucket_words(16, 1.0, 2, 8, 0.2, 1, False, 6, 1) == 38
    assert bucket_words(16, 1.0, 2, 8, 0.25, 1, False, 6, 1) == 40
    assert type(bucket_words(16, 1.0, 2, 8, 0.25, 1, False, 6, 1)) is int
    # element-wise header: 2 * (9 + 6 * 5) = 78
    assert bucket_words(1, 1.0, 1, 1, 0.0, 1, False, 6, 4) == 84
    assert bucket_words(1, 1.0, 1, 1, 0.0, 2, False, 6, 4) == 84
    assert bucket_words(1, 1.0, 1, 1, 0.0, 1, True, 6, 4) == 144


def test_planned_headers():
    # the word that weight gradients add is counted for every worker: 9 + 6 * (5 + 5) where 64 are stored
    assert (header_words(1, False, 6), header_words(1, True, 6)) == (39, 69)
    assert (header_words(16, False, 6), header_words(16, True, 6)) == (7, 31)


def test_stored_headers():
    assert stored_header_words(1, False, 6) == 39
    assert stored_header_words(1, True, 6) == 64
    assert stored_header_words(16, False, 6) == 7
    assert stored_header_words(16, True, 6) == 31
