"""Reads arrays from ``.npy``, ``.npz`` and ``.onnx`` files; refuses all but plain finite arrays of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.files.arrays import Archive, ArrayFileError, ArrayHeader, open_archive, read_npy, read_npy_header

F32Array = NDArray[np.float32]

_KINDS = "iufb"


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of the array for tensor `name`, reading only the header.

    Raises
    ------
    ValueError
        The file cannot be read, or holds no array of real numbers for the tensor; the text says why.
    """
    if path.suffix == ".onnx":
        from ipusim.frontends.models.onnx.constants import initialiser_shape

        return initialiser_shape(path, name)
    if path.suffix == ".npy":
        return _shape(read_npy_header(path))
    with open_archive(path) as archive:
        return _shape(archive.header(_member(archive, name)))


def read_array(path: Path, name: str) -> F32Array:
    """Return the array for tensor `name` as C-contiguous float32.

    Raises
    ------
    ValueError
        As for :func:`array_shape`, and for NaN, infinities and values beyond float32.
    """
    array_shape(path, name)
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.ascontiguousarray(_load(path, name), dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError("holds NaN, infinities or values beyond float32")
    return array


def _load(path: Path, name: str) -> NDArray[Any]:
    if path.suffix == ".onnx":
        from ipusim.frontends.models.onnx.constants import initialiser_values

        return initialiser_values(path, name)
    if path.suffix == ".npy":
        return read_npy(path)
    with open_archive(path) as archive:
        return archive.array(_member(archive, name))


def _member(archive: Archive, name: str) -> str:
    """Return the name of the array for tensor `name`: the one called like it, or the only one."""
    return archive.names[0] if len(archive.names) == 1 else name


def _shape(header: ArrayHeader) -> tuple[int, ...]:
    if header.dtype.kind not in _KINDS:
        raise ArrayFileError(f"holds {header.dtype} instead of real numbers")
    return header.shape
