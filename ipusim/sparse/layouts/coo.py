"""Coordinates: a row and a column index for each block, in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import Blocks, ValueArray, canonical_blocks
from ipusim.sparse.layouts.checks import check_indices, check_shape, check_unique, check_values


@dataclass(frozen=True, slots=True)
class Coo:
    """Coordinates in elements.

    Attributes
    ----------
    shape : tuple of two int
    block_size : int
    data : float32 array [n_blocks * block_size**2]
        Block after block, each row-major.
    row_indices, indices : int64 array [n_blocks]
        Element row and column of each block's first element.
    """

    shape: tuple[int, int]
    block_size: int
    data: ValueArray
    row_indices: NDArray[np.int64]
    indices: NDArray[np.int64]

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Coo:
        """Return `blocks` (with values) as coordinates."""
        assert blocks.data is not None
        size = blocks.block_size
        rows, cols = blocks.rows.astype(np.int64) * size, blocks.cols.astype(np.int64) * size
        return cls(blocks.shape, size, blocks.data.ravel(), rows, cols)

    def to_blocks(self) -> Blocks:
        """Return the canonical form."""
        size = self.block_size
        data = self.data.reshape(-1, size, size)
        return canonical_blocks(self.shape, size, self.row_indices // size, self.indices // size, data)

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""
        found = check_shape(self.shape, self.block_size)
        if self.row_indices.size != self.indices.size:
            found.append(f"{self.row_indices.size} row indices but {self.indices.size} column indices")
        if found:
            return found
        found += check_indices(self.row_indices, self.shape[0], self.block_size, "row")
        found += check_indices(self.indices, self.shape[1], self.block_size, "column")
        found += check_values(self.data, self.indices.size, self.block_size)
        return found or check_unique(self.row_indices, self.indices)


LAYOUT = Coo
