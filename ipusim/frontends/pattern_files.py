"""Reads what the header of a sparse matrix file says: Matrix Market ``.mtx`` and SciPy ``.npz``."""

from __future__ import annotations

import bz2
import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

FORMATS = ("bsr", "coo", "csc", "csr")
_SYMMETRIES = {"general": 1, "symmetric": 2, "skew-symmetric": 2, "hermitian": 2}
_OPENERS: dict[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open}
_LONGEST_LINE = 1 << 16


class PatternHeader(NamedTuple):
    """Extents of a sparse matrix and the elements its file stores.

    Attributes
    ----------
    shape : tuple of two int
        Rows and columns.
    n_nonzeros : int
        Stored elements, explicit zeros included. An upper bound for a symmetric file, whose diagonal is not doubled.
    """

    shape: tuple[int, int]
    n_nonzeros: int


def read_pattern_header(path: Path) -> PatternHeader:
    """Return the header of a sparse matrix file without reading the matrix.

    Raises
    ------
    ValueError
        The file cannot be read or is not a sparse matrix in a supported format; the text says why.
    """
    try:
        return _npz_header(path) if path.suffix == ".npz" else _matrix_market_header(path)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _matrix_market_header(path: Path) -> PatternHeader:
    with _OPENERS.get(path.suffix, open)(path, "rt", encoding="ascii", errors="replace") as stream:
        banner = stream.readline(_LONGEST_LINE).lower().split()
        if banner[:2] != ["%%matrixmarket", "matrix"] or len(banner) != 5:
            raise ValueError("is not a Matrix Market file")
        if banner[2] != "coordinate":
            raise ValueError(f"holds a matrix in {banner[2]} form instead of coordinate form")
        line = stream.readline(_LONGEST_LINE)
        while line.startswith("%") or (line and not line.strip()):
            line = stream.readline(_LONGEST_LINE)
    extents = line.split()
    if len(extents) != 3 or not all(each.isdigit() for each in extents) or banner[4] not in _SYMMETRIES:
        raise ValueError("has a damaged Matrix Market header")
    rows, cols, stored = (int(each) for each in extents)
    return PatternHeader((rows, cols), min(rows * cols, stored * _SYMMETRIES[banner[4]]))


def _npz_header(path: Path) -> PatternHeader:
    try:
        with np.load(path, allow_pickle=False) as archive:
            kind = bytes(archive["format"].item()).decode()
            rows, cols = (int(extent) for extent in archive["shape"])
            n_nonzeros = int(archive["data"].size)
    except (KeyError, TypeError, ValueError):
        raise ValueError("is not a sparse matrix saved by SciPy") from None
    if kind not in FORMATS:
        raise ValueError(f"holds a {kind} matrix; supported are {', '.join(FORMATS)}")
    return PatternHeader((rows, cols), n_nonzeros)
