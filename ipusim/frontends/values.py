"""Values of input tensors, the same on every machine for the same seed and tensor name.

Only the raw 64-bit stream of PCG64 is used, which numpy guarantees for all versions, and only arithmetic that IEEE 754
rounds in one way. ``Generator.standard_normal`` offers neither: its algorithm may change between versions of numpy, and
its tails go through the ``log`` of the C library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from math import prod
from pathlib import Path
from statistics import NormalDist
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ipusim.errors import BadInputError, Problem
from ipusim.formats import WHOLE_NUMBERS, round_to_format, round_to_scale
from ipusim.frontends.array_files import F32Array, read_array
from ipusim.ir.tensor import Init, Tensor
from ipusim.sparse.patterns.random_words import N_SLICES, Slices, inverted, sliced

Fill = Callable[[NDArray[np.uint32]], F32Array]

_CHUNK = 1 << 16
_LARGEST_QUANTILE = 1.0 - 2.0**-15

MASKED = -10000.0
"""Added to scores that a causal mask hides: their exponentials are zero in every format."""

LARGEST_NORMAL = 4.01
"""No value of ``normal`` lies further from zero than this many standard deviations."""


def tensor_values(tensor: Tensor, seed: int) -> F32Array:
    """Return the values of an input tensor, zeros of a sparsity pattern not yet applied.

    Parameters
    ----------
    tensor : Tensor
        With an `init`.
    seed : int
        Seed of the workload, at least 0.

    Returns
    -------
    float32 array of the tensor's shape, C-contiguous, every value on the grid of the tensor's number format.

    Raises
    ------
    BadInputError
        A file of values is unreadable, has the wrong shape, or holds numbers that the format cannot hold.
    """
    init = tensor.init or Init()
    if init.kind in ("file", "onnx"):
        return _file_values(tensor, init)
    if init.kind == "values":
        given = np.array(init.values, dtype=np.float32).reshape(tensor.shape)
        return given if tensor.dtype == WHOLE_NUMBERS else round_to_format(given, tensor.dtype)
    if init.kind in ("zeros", "ones"):
        return round_to_scale(np.full(tensor.shape, float(init.kind == "ones")), tensor.dtype, tensor.scale)
    if init.kind == "arange":
        return np.arange(prod(tensor.shape), dtype=np.float32).reshape(tensor.shape)
    if init.kind == "causal":
        rows, cols = tensor.shape
        return np.triu(np.full(tensor.shape, MASKED, dtype=np.float32), k=1 + cols - rows)
    kinds: dict[str, Fill] = {"normal": _normal, "uniform": _uniform, "integers": partial(_integers, init.below)}
    fill = kinds[init.kind]
    values = np.empty(prod(tensor.shape), dtype=np.float32)
    rounded = tensor.scale == 1.0
    start = 0
    for words in _words(seed, tensor.name, len(values)):
        chunk = fill(words)
        chunk *= np.float32(init.scale)
        values[start : start + len(words)] = round_to_format(chunk, tensor.dtype) if rounded else chunk
        start += len(words)
    return (values if rounded else round_to_scale(values, tensor.dtype, tensor.scale)).reshape(tensor.shape)


def _words(seed: int, name: str, count: int) -> Iterator[NDArray[np.uint32]]:
    """Yield `count` random 32-bit words in chunks; the stream depends on the seed and the tensor's name only."""
    generator = np.random.PCG64(np.random.SeedSequence([seed, crc32(name.encode())]))
    for start in range(0, count, _CHUNK):
        n_words = min(_CHUNK, count - start)
        raw = np.asarray(generator.random_raw((n_words + 1) // 2), dtype="<u8")
        yield raw.view("<u4")[:n_words]


def _uniform(words: NDArray[np.uint32]) -> F32Array:
    """Return values in [-1, 1) on a grid of 2**-23, exactly."""
    values = (words >> np.uint32(8)).astype(np.float32)
    values *= np.float32(2.0**-23)
    values -= np.float32(1.0)
    return values


def _integers(below: int, words: NDArray[np.uint32]) -> F32Array:
    """Return whole numbers from 0 to before `below`, exactly."""
    return ((words.astype(np.uint64) * np.uint64(below)) >> np.uint64(32)).astype(np.float32)


def _normal(words: NDArray[np.uint32]) -> F32Array:
    """Return values of a normal distribution of mean 0 and standard deviation 1.

    The distribution is cut into 4,096 slices of equal probability; a word picks a slice with its high bits and a place
    inside it with its low bits, so that the density is flat within a slice. Standard deviation 1.00004, kurtosis 3.00.
    """
    return inverted(words, _slices())


@cache
def _slices() -> Slices:
    quantile = NormalDist().inv_cdf
    upper = [quantile(0.5 + i / N_SLICES) for i in range(1, N_SLICES // 2)] + [quantile(_LARGEST_QUANTILE)]
    return sliced([-x for x in reversed(upper)] + [0.0] + upper)


def _file_values(tensor: Tensor, init: Init) -> F32Array:
    path = Path(init.file)
    try:
        values = _read(tensor, path, init)
        if values.shape != tensor.shape:
            raise ValueError(f"has shape {list(values.shape)}, but {tensor.name} is {list(tensor.shape)}")
        if tensor.dtype == WHOLE_NUMBERS and bool((values != np.rint(values)).any()):
            raise ValueError(f"holds values that are no whole numbers, but {tensor.name} is {tensor.dtype}")
        values = round_to_scale(values, tensor.dtype, tensor.scale)
        if not np.isfinite(values).all():
            raise ValueError(f"holds values beyond the range of {tensor.dtype}")
    except ValueError as error:
        raise BadInputError([Problem(str(path), 0, 0, tensor.name, str(error))]) from None
    return values


def _read(tensor: Tensor, path: Path, init: Init) -> F32Array:
    if init.kind == "file":
        return read_array(path, tensor.name)
    from ipusim.frontends.models.onnx.constants import constant_values

    return constant_values(path, dict(init.dims), init.member, tensor.dtype)
