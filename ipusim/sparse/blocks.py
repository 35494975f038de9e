"""The canonical form of a sparse matrix: square blocks, in row-major order, none twice.

Every layout (:mod:`ipusim.sparse.layouts`) converts to and from this form, every pattern
(:mod:`ipusim.sparse.patterns`) produces it, and the planners read it. Block size 1 is ordinary element sparsity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IndexArray = NDArray[np.int32]
ValueArray = NDArray[np.float32]

STATIC_BLOCK_SIZES = (16, 8, 4, 1)
DYNAMIC_BLOCK_SIZES = {"float16": (16, 8, 4, 1), "float32": (8, 4, 1)}


@dataclass(frozen=True)
class Blocks:
    """A sparse matrix as a list of square blocks.

    Attributes
    ----------
    shape : tuple of two int
        Rows and columns in elements; multiples of `block_size`.
    block_size : int
        Edge of a block in elements.
    rows, cols : int32 array [n_blocks]
        Block row and block column of each block, ascending by row, then column, without repetition.
    data : float32 array [n_blocks, block_size, block_size] or None
        Values; None for a pattern that has no values yet. A stored zero is a non-zero of the pattern.
    """

    shape: tuple[int, int]
    block_size: int
    rows: IndexArray
    cols: IndexArray
    data: ValueArray | None = None

    def __eq__(self, other: object) -> bool:
        """Return whether both store the same blocks with the same values."""
        if not isinstance(other, Blocks):
            return NotImplemented
        if (self.shape, self.block_size) != (other.shape, other.block_size):
            return False
        parts = ((self.rows, other.rows), (self.cols, other.cols), (self.data, other.data))
        return all(np.array_equal(a, b) if a is not None and b is not None else a is b for a, b in parts)

    @property
    def n_blocks(self) -> int:
        """Stored blocks."""
        return int(self.rows.size)

    @property
    def n_values(self) -> int:
        """Stored values."""
        return self.n_blocks * self.block_size**2

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns in blocks."""
        return self.shape[0] // self.block_size, self.shape[1] // self.block_size

    @property
    def density(self) -> float:
        """Stored values over all elements; 0 for a matrix without elements."""
        return self.n_values / max(1, self.shape[0] * self.shape[1])

    @cached_property
    def row_counts(self) -> NDArray[np.int64]:
        """Blocks in each block row: int64 array [grid rows]."""
        return np.bincount(self.rows, minlength=self.grid[0])

    @cached_property
    def col_counts(self) -> NDArray[np.int64]:
        """Blocks in each block column: int64 array [grid columns]."""
        return np.bincount(self.cols, minlength=self.grid[1])

    def indptr(self) -> NDArray[np.int64]:
        """Return where each block row starts in the list of blocks: int64 array [grid rows + 1]."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.row_counts, dtype=np.int64)])

    def with_data(self, data: ValueArray) -> Blocks:
        """Return the same pattern with other values (float32 array [n_blocks, block_size, block_size])."""
        return replace(self, data=data)


def canonical_blocks(
    shape: tuple[int, int],
    block_size: int,
    rows: NDArray[np.integer],
    cols: NDArray[np.integer],
    data: ValueArray | None = None,
) -> Blocks:
    """Return blocks in canonical order from blocks in any order.

    Parameters
    ----------
    rows, cols : int array [n_blocks]
        Block coordinates; each pair at most once.
    data : float32 array [n_blocks, block_size, block_size], optional
    """
    order = np.lexsort((cols, rows))
    kept = None if data is None else np.ascontiguousarray(data[order], dtype=np.float32)
    return Blocks(shape, block_size, rows[order].astype(np.int32), cols[order].astype(np.int32), kept)


def blocks_from_flat(shape: tuple[int, int], block_size: int, flat: NDArray[np.integer]) -> Blocks:
    """Return a pattern from ascending flat block indices (``row * grid columns + col``)."""
    grid_cols = max(1, shape[1] // block_size)
    return Blocks(shape, block_size, (flat // grid_cols).astype(np.int32), (flat % grid_cols).astype(np.int32))


def transpose_blocks(blocks: Blocks) -> Blocks:
    """Return the transposed matrix."""
    cols = blocks.cols
    # rows ascend already; a stable sort of 16-bit keys is a radix sort
    order = np.argsort(cols.astype(np.uint16) if blocks.grid[1] <= 1 << 16 else cols, kind="stable")
    data = None if blocks.data is None else np.ascontiguousarray(blocks.data[order].transpose(0, 2, 1))
    return Blocks((blocks.shape[1], blocks.shape[0]), blocks.block_size, cols[order], blocks.rows[order], data)


def blocks_to_dense(blocks: Blocks) -> ValueArray:
    """Return the matrix as float32 array [rows, cols]; a pattern without values counts as ones."""
    size, (grid_rows, grid_cols) = blocks.block_size, blocks.grid
    dense = np.zeros((grid_rows, grid_cols, size, size), np.float32)
    dense[blocks.rows, blocks.cols] = 1 if blocks.data is None else blocks.data
    return dense.transpose(0, 2, 1, 3).reshape(blocks.shape)


def dense_to_blocks(dense: ValueArray, block_size: int) -> Blocks:
    """Return the blocks of a dense matrix that hold any value other than zero."""
    rows, cols = dense.shape
    tiled = dense.reshape(rows // block_size, block_size, cols // block_size, block_size).transpose(0, 2, 1, 3)
    block_rows, block_cols = np.nonzero(tiled.any(axis=(2, 3)))
    data = tiled[block_rows, block_cols].astype(np.float32)
    return Blocks((rows, cols), block_size, block_rows.astype(np.int32), block_cols.astype(np.int32), data)


def device_block_size(block_size: int, mode: str, dtype: str) -> int:
    """Return the block size that the device works with: the largest supported one that divides the user's.

    Parameters
    ----------
    block_size : int
        What the user declared.
    mode : str
        ``static`` or ``dynamic``.
    dtype : str
        ``float16`` or ``float32``; dynamic float32 has no blocks of 16. Source: reference/sparse.md section 0.
    """
    supported = STATIC_BLOCK_SIZES if mode == "static" else DYNAMIC_BLOCK_SIZES[dtype]
    return next(size for size in supported if block_size % size == 0)


def reblock(blocks: Blocks, block_size: int) -> Blocks:
    """Return the same matrix in blocks of another size.

    Smaller blocks: every stored block is cut up, and all the pieces stay stored. Larger blocks: every block that
    contains a stored one is stored, and filled up with zeros. The one size has to divide the other.
    """
    if block_size == blocks.block_size:
        return blocks
    return _split(blocks, block_size) if block_size < blocks.block_size else _merge(blocks, block_size)


def _split(blocks: Blocks, block_size: int) -> Blocks:
    factor = blocks.block_size // block_size
    row_part, col_part = np.divmod(np.arange(factor**2), factor)
    rows = (blocks.rows[:, None].astype(np.int64) * factor + row_part).ravel()
    cols = (blocks.cols[:, None].astype(np.int64) * factor + col_part).ravel()
    data = None
    if blocks.data is not None:
        cut = blocks.data.reshape(-1, factor, block_size, factor, block_size).transpose(0, 1, 3, 2, 4)
        data = cut.reshape(-1, block_size, block_size)
    return canonical_blocks(blocks.shape, block_size, rows, cols, data)


def _merge(blocks: Blocks, block_size: int) -> Blocks:
    factor = block_size // blocks.block_size
    grid_cols = blocks.shape[1] // block_size
    rows, row_part = np.divmod(blocks.rows.astype(np.int64), factor)
    cols, col_part = np.divmod(blocks.cols.astype(np.int64), factor)
    flat, index = np.unique(rows * grid_cols + cols, return_inverse=True)
    merged = blocks_from_flat(blocks.shape, block_size, flat)
    if blocks.data is None:
        return merged
    small = blocks.block_size
    data = np.zeros((flat.size, factor, factor, small, small), np.float32)
    data[index, row_part, col_part] = blocks.data
    return merged.with_data(data.transpose(0, 1, 3, 2, 4).reshape(-1, block_size, block_size))
