"""Headers of sparse matrix files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from ipusim.frontends.pattern_files import FORMATS, PatternHeader, read_pattern_header

MATRIX = scipy.sparse.random_array((12, 18), density=0.25, rng=np.random.default_rng(0))


@pytest.mark.parametrize("layout", FORMATS)
def test_scipy_files(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "m.npz"
    stored = scipy.sparse.bsr_array(MATRIX, blocksize=(3, 3)) if layout == "bsr" else MATRIX.asformat(layout)
    scipy.sparse.save_npz(path, stored)
    assert read_pattern_header(path) == PatternHeader((12, 18), stored.data.size)


def test_matrix_market_files(tmp_path: Path) -> None:
    path = tmp_path / "m.mtx"
    scipy.io.mmwrite(path, MATRIX, comment="first\n\nsecond")
    assert read_pattern_header(path) == PatternHeader((12, 18), MATRIX.nnz)
    with gzip.open(tmp_path / "m.mtx.gz", "wb") as stream:
        stream.write(path.read_bytes())
    assert read_pattern_header(tmp_path / "m.mtx.gz") == PatternHeader((12, 18), MATRIX.nnz)


def test_symmetric_files_count_both_halves(tmp_path: Path) -> None:
    path = tmp_path / "s.mtx"
    path.write_text("%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 1\n")
    assert read_pattern_header(path) == PatternHeader((3, 3), scipy.io.mmread(path).nnz)


def test_count_is_never_above_the_number_of_elements(tmp_path: Path) -> None:
    path = tmp_path / "s.mtx"
    path.write_text("%%MatrixMarket matrix coordinate real symmetric\n2 2 3\n1 1 1\n2 1 1\n2 2 1\n")
    assert read_pattern_header(path).n_nonzeros == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a Matrix Market file"),
        ("%%MatrixMarket vector coordinate real general\n", "is not a Matrix Market file"),
        ("%%MatrixMarket matrix array real general\n2 2\n", "array form"),
        ("%%MatrixMarket matrix coordinate real general\n% no sizes\n", "damaged"),
        ("%%MatrixMarket matrix coordinate real general\n2 2 x\n", "damaged"),
        ("%%MatrixMarket matrix coordinate real odd\n2 2 1\n", "damaged"),
        ("%%MatrixMarket matrix coordinate real general\n8 8 1000000000\n", "stores 1,000,000,000 elements; the most"),
        ("%%MatrixMarket matrix coordinate real general\n" + "%\n" * 20_000 + "8 8 1\n", "damaged"),
    ],
)
def test_wrong_matrix_market_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.mtx"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pattern_header(path)


def test_wrong_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.zeros(3))
    with pytest.raises(ValueError, match="is not a sparse matrix saved by SciPy"):
        read_pattern_header(tmp_path / "a.npz")
    scipy.sparse.save_npz(tmp_path / "d.npz", scipy.sparse.dia_array(MATRIX))
    with pytest.raises(ValueError, match="holds a dia matrix; supported are bsr, coo, csc, csr"):
        read_pattern_header(tmp_path / "d.npz")
    (tmp_path / "t.npz").write_text("text")
    with pytest.raises(ValueError, match=r"is not a sparse matrix|cannot be read"):
        read_pattern_header(tmp_path / "t.npz")
