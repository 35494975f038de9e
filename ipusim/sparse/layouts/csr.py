"""Compressed rows in the device library's convention: indices and pointers count elements, also for blocks."""

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
class Csr:
    """Compressed rows.

    Attributes
    ----------
    shape : tuple of two int
    block_size : int
    data : float32 array [n_blocks * block_size**2]
        Block after block, each row-major.
    indices : int64 array [n_blocks]
        Element column of each block's first element.
    indptr : int64 array [rows / block_size + 1]
        Stored values before each block row.
    """

    shape: tuple[int, int]
    block_size: int
    data: ValueArray
    indices: NDArray[np.int64]
    indptr: NDArray[np.int64]

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Csr:
        """Return `blocks` (with values) as compressed rows."""
        assert blocks.data is not None
        size = blocks.block_size
        return cls(
            blocks.shape, size, blocks.data.ravel(), blocks.cols.astype(np.int64) * size, blocks.indptr() * size**2
        )

    def to_blocks(self) -> Blocks:
        """Return the canonical form."""
        size = self.block_size
        data = self.data.reshape(-1, size, size)
        return canonical_blocks(self.shape, size, self._rows(), self.indices // size, data)

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""
        found = check_shape(self.shape, self.block_size)
        if found:
            return found
        area = self.block_size**2
        found += check_pointers(self.indptr, self.shape[0] // self.block_size, self.indices.size, area)
        found += check_indices(self.indices, self.shape[1], self.block_size, "column")
        found += check_values(self.data, self.indices.size, self.block_size)
        return found or check_unique(self._rows() * self.block_size, self.indices)

    def _rows(self) -> NDArray[np.int64]:
        return stored_lines(self.indptr, self.block_size**2)


LAYOUT = Csr
