"""Matrices that SciPy has saved, and some that it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from ipusim.sparse.saved_matrix import FORMATS, read_saved_matrix

MATRIX = scipy.sparse.random_array((12, 18), density=0.25, rng=np.random.default_rng(0))


@pytest.mark.parametrize("layout", FORMATS)
def test_elements_are_those_of_scipy(tmp_path: Path, layout: str) -> None:
    stored = scipy.sparse.bsr_array(MATRIX, blocksize=(2, 3)) if layout == "bsr" else MATRIX.asformat(layout)
    scipy.sparse.save_npz(tmp_path / "m.npz", stored)
    found = read_saved_matrix(tmp_path / "m.npz")
    assert found.data.size == stored.data.size
    dense = scipy.sparse.coo_array((found.data, (found.rows, found.cols)), found.shape).toarray()
    np.testing.assert_array_equal(dense, MATRIX.toarray())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indptr": np.array([0, 2, 2**40, 2, 2])}, "the pointers decrease"),
        ({"indptr": np.array([0, 1, 2])}, "3 pointers where 5 are needed"),
        ({"indptr": np.array([0, 1, 1, 1, 9])}, "the last pointer is 9 where 2 values are stored"),
        ({"indices": np.array([0, 2**31])}, r"index is outside 0\.\.3"),
        ({"indices": np.array([0, -1])}, r"index is outside 0\.\.3"),
        ({"indices": np.array([[0, 1]])}, "no list of whole numbers"),
        ({"data": np.ones(3)}, "3 values for 2 rows"),
        ({"data": np.array(["a", "b"])}, "2 values of <U1"),
        ({"shape": np.array([4, 4, 4])}, "no number of rows"),
        ({"format": np.array([1])}, "which kind of matrix"),
        ({"format": np.array("bsr")}, r"2 blocks of the shape \[2\]"),
        ({"format": np.array("dia")}, "holds a dia matrix"),
    ],
)
def test_arrays_that_contradict_each_other(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays = {"indptr": np.array([0, 1, 1, 2, 2]), "indices": np.array([0, 3]), "data": np.ones(2)}
    arrays |= {"shape": np.array([4, 4]), "format": np.array("csr")}
    np.savez(tmp_path / "m.npz", **{**arrays, **changes})
    with pytest.raises(ValueError, match=message):
        read_saved_matrix(tmp_path / "m.npz")
