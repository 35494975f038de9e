"""The non-zero blocks of a graph's sparse tensors."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ipusim.errors import BadInputError, Problem
from ipusim.frontends.values import tensor_values
from ipusim.ir.tensor import Init, Sparsity, Tensor
from ipusim.kernels.jit import compiled
from ipusim.sparse.blocks import Blocks, blocks_to_dense
from ipusim.sparse.patterns.registry import build_pattern
from ipusim.sparse.patterns.spec import PatternError, PatternRequest, density_of

F32Array = NDArray[np.float32]
VALUED = "magnitude"
"""The pattern that looks at the values of its tensor."""

GIVEN = "given"
"""The pattern that names every block; of the weights of a convolution those of each element of the kernel."""


def tensor_blocks(tensor: Tensor, seed: int) -> Blocks:
    """Return the non-zero blocks of a sparse tensor, in its own block size; with data only if its file brings values.

    Parameters
    ----------
    tensor : Tensor
        With a sparsity.
    seed : int
        Seed of the workload; the pattern depends on it and on the tensor's name.

    Raises
    ------
    BadInputError
        When the pattern cannot be built for this shape and density.
    """
    assert tensor.sparsity is not None
    sparsity = tensor.sparsity
    if sparsity.kernel and sparsity.pattern != GIVEN:
        return _at_kernel_elements(tensor, sparsity, seed)
    options = tuple(sorted((name, _frozen(value)) for name, value in sparsity.options.items()))
    key = (tensor.shape[0], tensor.shape[1], sparsity.block_size, sparsity.density, sparsity.pattern, options)
    source = tensor
    if sparsity.pattern_of:
        source = Tensor(sparsity.pattern_of, tensor.shape, sparsity.pattern_dtype, sparsity.pattern_init)
    try:
        return _build(key, source.name, seed, (source.init, source.dtype) if sparsity.pattern == VALUED else None)
    except PatternError as error:
        problem = Problem("workload", 0, 0, f"tensors.{tensor.name}.sparsity", str(error))
        raise BadInputError([problem]) from None


def sparse_values(tensor: Tensor, seed: int) -> F32Array:
    """Return the values of a sparse tensor as a full float32 array of its shape, zeros off the pattern."""
    blocks = tensor_blocks(tensor, seed)
    if blocks.data is not None:
        from ipusim.formats import round_to_format

        return round_to_format(blocks_to_dense(blocks), tensor.dtype)
    if tensor.sparsity and tensor.sparsity.kernel:
        return _matrix_values(tensor, tensor.sparsity.kernel, seed) * blocks_to_dense(blocks)
    return tensor_values(tensor, seed) * blocks_to_dense(blocks)


def _at_kernel_elements(tensor: Tensor, sparsity: Sparsity, seed: int) -> Blocks:
    """Return the blocks of a convolution's weights as a matrix: those of the channels at each element of the kernel."""
    elements = prod(sparsity.kernel)
    shape = (tensor.shape[0], tensor.shape[1] // elements)
    blocks = tensor_blocks(replace(tensor, shape=shape, sparsity=replace(sparsity, kernel=())), seed)
    cols = blocks.cols[:, None] + blocks.grid[1] * np.arange(elements, dtype=np.int32)
    rows = np.repeat(blocks.rows, elements)
    order = np.lexsort((cols.ravel(), rows))
    return Blocks((tensor.shape[0], tensor.shape[1]), blocks.block_size, rows[order], cols.ravel()[order])


def _matrix_values(tensor: Tensor, kernel: tuple[int, ...], seed: int) -> F32Array:
    """Return the values of a convolution's weights as a matrix, those of the channels at each element of the kernel."""
    shape = (tensor.shape[0], tensor.shape[1] // prod(kernel), *kernel)
    return matrix_values(replace(tensor, shape=shape, sparsity=None), seed)


def matrix_values(tensor: Tensor, seed: int) -> F32Array:
    """Return the values of a weight as sparse products store it: float32 [out, kernel elements * in], or a matrix."""
    weights = tensor_values(tensor, seed)
    return np.ascontiguousarray(np.moveaxis(weights, 1, -1).reshape(matrix_shape(tensor.shape)))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the extents of a weight as sparse products store it, those of a matrix unchanged."""
    return shape[0], prod(shape[1:])


def non_zeros(tensor: Tensor, seed: int) -> int:
    """Return the number of stored elements of a tensor: all of them for a dense one."""
    return tensor.n_elements if tensor.sparsity is None else tensor_blocks(tensor, seed).n_values


@lru_cache(maxsize=64)
def _build(key: tuple[Any, ...], name: str, seed: int, source: tuple[Init | None, str] | None) -> Blocks:
    rows, cols, block_size, density, pattern, options = key
    values = None
    if source is not None:
        init, dtype = source
        values = partial(tensor_values, Tensor(name, (rows, cols), dtype, init), seed)
    request = PatternRequest(
        (rows, cols),
        block_size,
        density_of(density),
        seed ^ crc32(name.encode()),
        {option: _thawed(value) for option, value in options},
        compiled,
        values,
    )
    return build_pattern(pattern, request)


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return ("mapping", tuple(sorted((name, _frozen(item)) for name, item in value.items())))
    return value


def _thawed(value: object) -> object:
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "mapping":
        return {name: _thawed(item) for name, item in value[1]}
    return value
