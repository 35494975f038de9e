"""Sparse matrices that ``scipy.sparse.save_npz`` has written, every array of them checked before it is used.

SciPy's own reader trusts the pointers of compressed rows; with wrong ones, its conversions read and write beyond the
ends of arrays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.files.arrays import Archive, ArrayFileError, open_archive
from ipusim.sparse.layouts.checks import check_indices, check_pointers

IntArray = NDArray[np.int64]

FORMATS = ("bsr", "coo", "csc", "csr")
MAX_STORED = 2**25
"""Most stored elements of a matrix from a file; what is computed of them takes up to 50 bytes each."""

_MOST_BYTES = 16 * MAX_STORED


class Elements(NamedTuple):
    """Elements of a matrix in any order, maybe some of them twice.

    Attributes
    ----------
    shape : tuple of two int
    rows, cols : int64 array [n]
    data : array [n] of any kind of numbers
    """

    shape: tuple[int, int]
    rows: IntArray
    cols: IntArray
    data: NDArray[Any]


def read_saved_matrix(path: Path) -> Elements:
    """Return the elements of a saved matrix.

    Raises
    ------
    ValueError
        The file cannot be read, is no such matrix, or its arrays contradict each other; the text says why.
    """
    with open_archive(path) as archive:
        kind, shape = saved_kind(archive), saved_shape(archive)
        data = archive.array("data", _MOST_BYTES)
        if data.dtype.kind not in "biufc" or data.size > MAX_STORED:
            raise ArrayFileError(f"holds {data.size:,} values of {data.dtype}")
        if kind == "coo":
            return _coordinates(shape, _indices(archive, "row"), _indices(archive, "col"), data)
        if kind not in FORMATS:
            raise ArrayFileError(f"holds a {kind[:40]} matrix")
        indices, indptr = _indices(archive, "indices"), _indices(archive, "indptr")
    if kind == "bsr":
        return _blocks(shape, indices, indptr, data)
    major, minor = shape if kind == "csr" else shape[::-1]
    outer = _expanded(indptr, major, indices, minor)
    rows, cols = (outer, indices) if kind == "csr" else (indices, outer)
    return _coordinates(shape, rows, cols, data)


def saved_kind(archive: Archive) -> str:
    """Return the layout of a saved matrix, such as ``csr``; ArrayFileError if the file does not say."""
    found = archive.array("format", 1 << 10)
    if found.shape != () or found.dtype.kind not in "SU":
        raise ArrayFileError("does not say which kind of matrix it is")
    word = found.item()
    return word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)


def saved_shape(archive: Archive) -> tuple[int, int]:
    """Return rows and columns of a saved matrix; ArrayFileError if the file does not say."""
    found = archive.array("shape", 1 << 10)
    if found.shape != (2,) or found.dtype.kind not in "iu":
        raise ArrayFileError("has no number of rows and of columns")
    return int(found[0]), int(found[1])


def _indices(archive: Archive, name: str) -> IntArray:
    found = archive.array(name, _MOST_BYTES)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ArrayFileError(f"has {name} that are no list of whole numbers")
    return found.astype(np.int64)


def _coordinates(shape: tuple[int, int], rows: IntArray, cols: IntArray, data: NDArray[Any]) -> Elements:
    if not data.ndim == 1 or not rows.size == cols.size == data.size:
        raise ArrayFileError(f"has {data.size} values for {rows.size} rows and {cols.size} columns")
    _refuse(check_indices(rows, shape[0], 1, "row") + check_indices(cols, shape[1], 1, "column"))
    return Elements(shape, rows, cols, data)


def _blocks(shape: tuple[int, int], indices: IntArray, indptr: IntArray, data: NDArray[Any]) -> Elements:
    """Return the elements of blocks [n, height, width]."""
    if data.ndim != 3 or data.shape[0] != indices.size or 0 in data.shape[1:]:
        raise ArrayFileError(f"has {indices.size} blocks of the shape {list(data.shape)}")
    height, width = data.shape[1:]
    if shape[0] % height or shape[1] % width:
        raise ArrayFileError(f"has blocks of {height} x {width} in a matrix of {shape[0]} x {shape[1]}")
    block_rows = _expanded(indptr, shape[0] // height, indices, shape[1] // width)
    rows = block_rows[:, None, None] * height + np.arange(height)[:, None]
    cols = indices[:, None, None] * width + np.arange(width)
    return _coordinates(
        shape, np.broadcast_to(rows, data.shape).ravel(), np.broadcast_to(cols, data.shape).ravel(), data.ravel()
    )


def _expanded(indptr: IntArray, major: int, indices: IntArray, minor: int) -> IntArray:
    """Return the row (or column) of each element from the pointers of all rows."""
    _refuse(check_pointers(indptr, major, indices.size, 1) or check_indices(indices, minor, 1, "minor"))
    return np.repeat(np.arange(major), np.diff(indptr))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ArrayFileError("; ".join(problems))
