"""A matrix from a file: Matrix Market (``.mtx``, also compressed) or SciPy (``.npz``), with its values."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import mminfo, mmread
from scipy.sparse import coo_array

from ipusim.sparse.blocks import Blocks, canonical_blocks, reblock
from ipusim.sparse.patterns.spec import Pattern, PatternError, PatternRequest
from ipusim.sparse.saved_matrix import read_saved_matrix


def _build(request: PatternRequest) -> Blocks:
    name = request.options.get("file")
    if not isinstance(name, str):
        raise PatternError("the file pattern needs the option file")
    path = Path(name)
    if not path.is_file():
        raise PatternError(f"there is no file {name}")
    matrix = _load(path, request.shape)
    matrix.sum_duplicates()
    if np.iscomplexobj(matrix.data):
        raise PatternError(f"{name} holds complex values")
    data = matrix.data.astype(np.float32)
    if not np.isfinite(data).all():
        raise PatternError(f"{name} holds a value that is not a finite float32")
    single = canonical_blocks(request.shape, 1, matrix.row, matrix.col, data.reshape(-1, 1, 1))
    return reblock(single, request.block_size)


def _load(path: Path, shape: tuple[int, int]) -> coo_array[Any]:
    is_npz = path.suffix == ".npz"
    if not is_npz and path.suffix not in (".mtx", ".gz", ".bz2"):
        raise PatternError(f"{path} is neither a .mtx nor a .npz file")
    try:
        if is_npz:
            elements = read_saved_matrix(path)
            _check_shape(path, elements.shape, shape)
            return coo_array((elements.data, (elements.rows, elements.cols)), shape)
        _check_shape(path, mminfo(str(path))[:2], shape)
        matrix: coo_array[Any] = coo_array(mmread(str(path)))
    except PatternError:
        raise
    except (ValueError, KeyError, OSError, TypeError, EOFError, OverflowError, zlib.error) as error:
        raise PatternError(f"{path} cannot be read: {error}") from None
    _check_shape(path, matrix.shape, shape)
    return matrix


def _check_shape(path: Path, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if tuple(found) != wanted:
        raise PatternError(f"{path} is {'x'.join(map(str, found))}, the tensor {wanted[0]}x{wanted[1]}")


PATTERN = Pattern(name="file", options=("file",), build=_build)
