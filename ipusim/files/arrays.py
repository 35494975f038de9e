"""Reads array files of numpy, ``.npy`` and ``.npz``, that nobody vouches for.

``numpy.load`` takes memory for what a header says before it looks at what there is, unpacks whatever an archive holds,
and lets through what several libraries raise. Here a header has to agree with the length of the file first, and there
is one kind of error.
"""

from __future__ import annotations

import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.files.regular import open_regular
from ipusim.files.wording import shorten

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_KINDS = "biufcSU"
_LISTED = 8
_SUFFIX = ".npy"

# What libraries for archives raise about damaged ones; RuntimeError stands for encrypted members and for methods of
# compression that do not exist.
_DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, OverflowError, RuntimeError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)
# What a header that is no literal of Python comes to.
_NO_LITERAL = (ValueError, TypeError, SyntaxError, KeyError, tokenize.TokenError, RecursionError, MemoryError)


class ArrayFileError(ValueError):
    """A file that holds no array that can be read; the text says why."""


class ArrayHeader(NamedTuple):
    """What an array file says of its array.

    Attributes
    ----------
    shape : tuple of int
    fortran_order : bool
    dtype : numpy.dtype
        Of numbers, booleans or texts; never of Python objects.
    """

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * self.dtype.itemsize


class Archive:
    """An open ``.npz`` file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = tuple(name.removesuffix(_SUFFIX) for name in archive.namelist())

    def header(self, name: str) -> ArrayHeader:
        """Return what the file says of an array; ArrayFileError if there is none."""
        with _located(), self._open(name) as stream:
            return _header(stream)

    def array(self, name: str, most_bytes: int | None = None) -> NDArray[Any]:
        """Return an array; ArrayFileError if it is missing, damaged, or larger than `most_bytes`."""
        with _located(), self._open(name) as stream:
            return _array(stream, self._member(name).file_size, most_bytes)

    def _member(self, name: str) -> zipfile.ZipInfo:
        known = self._archive.namelist()
        member = f"{name}{_SUFFIX}" if f"{name}{_SUFFIX}" in known else name
        if member not in known:
            held = ", ".join(shorten(each) for each in sorted(self.names)[:_LISTED]) or "nothing"
            more = ", and more" if len(self.names) > _LISTED else ""
            raise ArrayFileError(f"has no array {shorten(name)!r}; it holds {held}{more}")
        return self._archive.getinfo(member)

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._member(name))


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a ``.npz`` file.

    Raises
    ------
    ArrayFileError
        It cannot be read, or is no archive.
    """
    with ExitStack() as opened:
        with _located():
            archive = opened.enter_context(zipfile.ZipFile(opened.enter_context(open_regular(path))))
        yield Archive(archive)


def read_npy_header(path: Path) -> ArrayHeader:
    """Return what a ``.npy`` file says of its array; ArrayFileError if it is none."""
    with _located(), open_regular(path) as stream:
        return _header(stream)


def read_npy(path: Path) -> NDArray[Any]:
    """Return the array of a ``.npy`` file; ArrayFileError if it cannot be read."""
    with _located(), open_regular(path) as stream:
        return _array(stream, os.fstat(stream.fileno()).st_size, None)


@contextmanager
def _located() -> Iterator[None]:
    """Turn whatever a library raises about a file into an ArrayFileError."""
    try:
        yield
    except ArrayFileError:
        raise
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ArrayFileError(f"cannot be read: {shorten(str(reason), 100)}") from None


def _header(stream: IO[bytes]) -> ArrayHeader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = ArrayHeader(*_READERS[np.lib.format.read_magic(stream)](stream))
    except _NO_LITERAL:
        raise ArrayFileError("is not a numpy array file") from None
    if header.dtype.kind not in _KINDS:
        raise ArrayFileError(f"holds {shorten(str(header.dtype))} instead of real numbers")
    if any(extent < 0 for extent in header.shape):
        raise ArrayFileError(f"has the impossible shape {list(header.shape)}")
    return header


def _array(stream: IO[bytes], file_bytes: int, most_bytes: int | None) -> NDArray[Any]:
    """Return the array of an open file of `file_bytes` in all."""
    header = _header(stream)
    left = file_bytes - stream.tell()
    if header.n_bytes != left:
        raise ArrayFileError(f"cannot be read: its header asks for {header.n_bytes:,} bytes, and {left:,} follow")
    if most_bytes is not None and header.n_bytes > most_bytes:
        raise ArrayFileError(f"cannot be read: an array takes {header.n_bytes:,} bytes; the most is {most_bytes:,}")
    content = bytearray(header.n_bytes)
    place = memoryview(content)
    while place:
        n_read = stream.readinto(place)  # type: ignore[attr-defined]
        if not n_read:
            raise ArrayFileError("cannot be read: it is cut off")
        place = place[n_read:]
    if not header.dtype.itemsize:
        return np.zeros(header.shape, header.dtype)
    flat = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran_order else "C")
