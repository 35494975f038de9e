"""Checks that several layouts share; each returns the list of what is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import ValueArray


def check_shape(shape: tuple[int, int], block_size: int) -> list[str]:
    """Return problems of the dimensions."""
    if block_size < 1:
        return [f"block size {block_size} is not positive"]
    return [
        f"{extent} {name} are not a multiple of the block size {block_size}"
        for name, extent in zip(("rows", "columns"), shape, strict=True)
        if extent < 1 or extent % block_size
    ]


def check_pointers(indptr: NDArray[np.int64], major_blocks: int, n_stored: int, unit: int) -> list[str]:
    """Return problems of the pointers of a compressed layout.

    Parameters
    ----------
    major_blocks : int
        Block rows (block columns) that the pointers delimit.
    n_stored : int
        Stored blocks.
    unit : int
        By how much a pointer grows per block: 1, or the values of a block.
    """
    if indptr.size != major_blocks + 1:
        return [f"{indptr.size} pointers where {major_blocks + 1} are needed"]
    found = []
    if indptr[0] != 0:
        found.append(f"the first pointer is {indptr[0]}, not 0")
    if np.any(np.diff(indptr) < 0):
        found.append("the pointers decrease")
    if np.any(indptr % unit):
        found.append(f"a pointer is not a multiple of the {unit} values of a block")
    if indptr[-1] != n_stored * unit:
        found.append(f"the last pointer is {indptr[-1]} where {n_stored * unit} values are stored")
    return found


def stored_lines(indptr: NDArray[np.int64], unit: int) -> NDArray[np.int64]:
    """Return the block row (block column) of each stored block: int64 [n_stored]; `unit` as in the check."""
    counts = np.diff(indptr) // unit
    return np.repeat(np.arange(counts.size), counts)


def check_indices(indices: NDArray[np.int64], extent: int, unit: int, name: str) -> list[str]:
    """Return problems of row or column indices: 0 <= index < extent, in steps of `unit`."""
    found = []
    if indices.size and (indices.min() < 0 or indices.max() >= extent):
        found.append(f"a {name} index is outside 0..{extent - 1}")
    if np.any(indices % unit):
        found.append(f"a {name} index is not a multiple of the block size {unit}")
    return found


def check_values(data: ValueArray, n_blocks: int, block_size: int) -> list[str]:
    """Return problems of the number and kind of the values."""
    if data.size != n_blocks * block_size**2:
        return [f"{data.size} values for {n_blocks} blocks of {block_size}x{block_size}"]
    return [] if np.isfinite(data).all() else ["a value is not a finite number"]


def check_unique(rows: NDArray[np.int64], cols: NDArray[np.int64]) -> list[str]:
    """Return a problem if a block is stored twice."""
    if rows.size < 2:
        return []
    order = np.lexsort((cols, rows))
    same = (np.diff(rows[order]) == 0) & (np.diff(cols[order]) == 0)
    if not same.any():
        return []
    first = order[int(np.argmax(same))]
    return [f"the block at row {rows[first]}, column {cols[first]} is stored twice"]
