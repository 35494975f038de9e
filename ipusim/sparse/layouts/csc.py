"""Compressed columns in the device library's convention: the compressed rows of the transposed matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import Blocks, ValueArray, canonical_blocks
from ipusim.sparse.layouts.checks import (
    check_indices,
    check_pointers,
    check_shape,
    check_unique,
    check_values,
    stored_lines,
)


@dataclass(frozen=True, slots=True)
class Csc:
    """Compressed columns.

    Attributes
    ----------
    shape : tuple of two int
    block_size : int
    data : float32 array [n_blocks * block_size**2]
        Block after block, each row-major.
    indices : int64 array [n_blocks]
        Element row of each block's first element.
    indptr : int64 array [columns / block_size + 1]
        Stored values before each block column.
    """

    shape: tuple[int, int]
    block_size: int
    data: ValueArray
    indices: NDArray[np.int64]
    indptr: NDArray[np.int64]

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Csc:
        """Return `blocks` (with values) as compressed columns."""
        assert blocks.data is not None
        size = blocks.block_size
        order = np.lexsort((blocks.rows, blocks.cols))
        counts = np.bincount(blocks.cols, minlength=blocks.grid[1])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]) * size**2
        return cls(blocks.shape, size, blocks.data[order].ravel(), blocks.rows[order].astype(np.int64) * size, indptr)

    def to_blocks(self) -> Blocks:
        """Return the canonical form."""
        size = self.block_size
        data = self.data.reshape(-1, size, size)
        return canonical_blocks(self.shape, size, self.indices // size, self._cols(), data)

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""
        found = check_shape(self.shape, self.block_size)
        if found:
            return found
        area = self.block_size**2
        found += check_pointers(self.indptr, self.shape[1] // self.block_size, self.indices.size, area)
        found += check_indices(self.indices, self.shape[0], self.block_size, "row")
        found += check_values(self.data, self.indices.size, self.block_size)
        return found or check_unique(self.indices, self._cols() * self.block_size)

    def _cols(self) -> NDArray[np.int64]:
        return stored_lines(self.indptr, self.block_size**2)


LAYOUT = Csc
