"""Reads arrays from ``.npy``, ``.npz`` and ``.onnx`` files; refuses all but plain finite arrays of numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


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
    try:
        if path.suffix == ".npy":
            with path.open("rb") as stream:
                return _header(stream)
        with zipfile.ZipFile(path) as archive, archive.open(_member(archive, name)) as stream:
            return _header(stream)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def read_array(path: Path, name: str) -> F32Array:
    """Return the array for tensor `name` as C-contiguous float32.

    Raises
    ------
    ValueError
        As for :func:`array_shape`, and for NaN, infinities and values beyond float32.
    """
    array_shape(path, name)
    try:
        values = _load(path, name)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot be read: {error}") from None
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError("holds NaN, infinities or values beyond float32")
    return array


def _load(path: Path, name: str) -> NDArray[Any]:
    if path.suffix == ".onnx":
        from ipusim.frontends.models.onnx.constants import initialiser_values

        return initialiser_values(path, name)
    loaded: Any = np.load(path, allow_pickle=False)
    if path.suffix == ".npy":
        return np.asarray(loaded)
    with loaded, zipfile.ZipFile(path) as archive:
        return np.asarray(loaded[_member(archive, name).removesuffix(".npy")])


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """Return the member for tensor `name`: the one called like it, or the only one."""
    members = archive.namelist()
    if f"{name}.npy" in members:
        return f"{name}.npy"
    if len(members) == 1:
        return members[0]
    held = ", ".join(sorted(member.removesuffix(".npy") for member in members)) or "nothing"
    raise ValueError(f"has no array {name!r}; it holds {held}")


def _header(stream: IO[bytes]) -> tuple[int, ...]:
    try:
        shape, _, dtype = _READERS[np.lib.format.read_magic(stream)](stream)
    except (KeyError, ValueError):
        raise ValueError("is not a numpy array file") from None
    if dtype.kind not in "iufb":
        raise ValueError(f"holds {dtype} instead of real numbers")
    return tuple(shape)
