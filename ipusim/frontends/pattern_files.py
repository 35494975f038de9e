"""Reads what the header of a sparse matrix file says: Matrix Market ``.mtx`` and SciPy ``.npz``."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

from ipusim.files.arrays import ArrayFileError, open_archive
from ipusim.files.regular import open_regular
from ipusim.sparse.saved_matrix import FORMATS, MAX_STORED, saved_kind, saved_shape

_SYMMETRIES = {"general": 1, "symmetric": 2, "skew-symmetric": 2, "hermitian": 2}
_UNPACKERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_LONGEST_LINE = 1 << 16
_MOST_COMMENT_LINES = 1 << 14


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
        header = _npz_header(path) if path.suffix == ".npz" else _matrix_market_header(path)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    _check_stored(header.n_nonzeros)
    return header


def _check_stored(count: int) -> None:
    if count > MAX_STORED:
        raise ValueError(f"stores {count:,} elements; the most is {MAX_STORED:,}")


def _matrix_market_header(path: Path) -> PatternHeader:
    with open_regular(path) as packed, _text(packed, path.suffix) as stream:
        banner = stream.readline(_LONGEST_LINE).lower().split()
        if banner[:2] != ["%%matrixmarket", "matrix"] or len(banner) != 5:
            raise ValueError("is not a Matrix Market file")
        if banner[2] != "coordinate":
            raise ValueError(f"holds a matrix in {banner[2][:40]} form instead of coordinate form")
        extents = _size_line(stream).split()
    if len(extents) != 3 or not all(_is_count(each) for each in extents) or banner[4] not in _SYMMETRIES:
        raise ValueError("has a damaged Matrix Market header")
    rows, cols, stored = (int(each) for each in extents)
    _check_stored(stored)  # a few elements may be said to be stored a billion times
    return PatternHeader((rows, cols), min(rows * cols, stored * _SYMMETRIES[banner[4]]))


def _text(packed: IO[bytes], suffix: str) -> IO[str]:
    unpacker = _UNPACKERS.get(suffix)
    content = packed if unpacker is None else unpacker(packed)
    return io.TextIOWrapper(content, encoding="ascii", errors="replace")


def _size_line(stream: IO[str]) -> str:
    """Return the first line that is neither empty nor a comment; of a comment without an end, nothing."""
    for _ in range(_MOST_COMMENT_LINES):
        line = stream.readline(_LONGEST_LINE)
        if not line or not (line.startswith("%") or not line.strip()):
            return line
    return ""


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _npz_header(path: Path) -> PatternHeader:
    with open_archive(path) as archive:
        try:
            kind, shape = saved_kind(archive), saved_shape(archive)
            n_nonzeros = prod(archive.header("data").shape)
        except ArrayFileError:
            raise ValueError("is not a sparse matrix saved by SciPy") from None
    if kind not in FORMATS:
        raise ValueError(f"holds a {kind[:40]} matrix; supported are {', '.join(FORMATS)}")
    return PatternHeader(shape, n_nonzeros)
