"""Block rows in SciPy's convention: indices and pointers count blocks."""

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
class Bsr:
    """Block rows, as ``scipy.sparse.bsr_array`` stores them.

    Attributes
    ----------
    shape : tuple of two int
    block_size : int
    data : float32 array [n_blocks, block_size, block_size]
    indices : int64 array [n_blocks]
        Block column of each block.
    indptr : int64 array [rows / block_size + 1]
        Blocks before each block row.
    """

    shape: tuple[int, int]
    block_size: int
    data: ValueArray
    indices: NDArray[np.int64]
    indptr: NDArray[np.int64]

    @classmethod
    def from_blocks(cls, blocks: Blocks) -> Bsr:
        """Return `blocks` (with values) as block rows."""
        assert blocks.data is not None
        return cls(blocks.shape, blocks.block_size, blocks.data, blocks.cols.astype(np.int64), blocks.indptr())

    def to_blocks(self) -> Blocks:
        """Return the canonical form."""
        return canonical_blocks(self.shape, self.block_size, self._rows(), self.indices, self.data)

    def problems(self) -> list[str]:
        """Return everything that is wrong with the arrays."""
        found = check_shape(self.shape, self.block_size)
        if found:
            return found
        found += check_pointers(self.indptr, self.shape[0] // self.block_size, self.indices.size, 1)
        found += check_indices(self.indices, self.shape[1] // self.block_size, 1, "block column")
        found += check_values(self.data, self.indices.size, self.block_size)
        return found or check_unique(self._rows(), self.indices)

    def _rows(self) -> NDArray[np.int64]:
        return stored_lines(self.indptr, 1)


LAYOUT = Bsr
