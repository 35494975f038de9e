"""The tiles of a dynamic sparse product: which rows and columns each has of the dense operand and of the result.

Tiles are numbered as by the library: rows of the sparse operand innermost, then the batch, then its columns. Arrays
over tiles are in the order of the buckets, ``(x * p_k + y) * p_n + z``. Source: reference/sparse.md section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.program import TileArray
from ipusim.ir.regions import IntArray
from ipusim.plan.dynamic_sparse import DynamicSparsePlan


@dataclass(frozen=True, slots=True)
class Side:
    """A dense matrix ``[extent, n]`` of the product as it is stored.

    Attributes
    ----------
    extent : int
        Rows: the inner extent of the product, or the rows of its result.
    n, groups : int
        Columns; they may be those of several matrices, one after the other.
    flipped : bool
        Stored as ``[n, extent]``; then all columns are in one matrix.
    """

    extent: int
    n: int
    groups: int
    flipped: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the variable that holds it."""
        return (1, self.n, self.extent) if self.flipped else (self.groups, self.extent, self.n // self.groups)

    def boxes(self, row_begin: IntArray, row_end: IntArray, col_begin: IntArray, col_end: IntArray) -> IntArray:
        """Return the boxes [k, 6] of rows and columns; the columns of each are in one matrix."""
        width = self.n // self.groups
        group = np.zeros_like(col_begin) if self.flipped else np.minimum(col_begin // width, self.groups - 1)
        first = 0 if self.flipped else group * width
        cols = (col_begin - first, col_end - first)
        rows = (row_begin, row_end)
        return np.stack([group, group + 1, *(cols + rows if self.flipped else rows + cols)], axis=1)


@dataclass(frozen=True, slots=True)
class DynamicGrid:
    """Blocks of a dynamic sparse product over its tiles.

    A tile's columns are a run; where it goes over the edge of a matrix it is cut into pieces.

    Attributes
    ----------
    dense, result : Side
    p_rows, p_inner, p_n : int
        Parts of the result's rows, of the inner extent, and of the columns.
    tile : int32 array [tiles used]
    row_part, inner_part, col_part : int64 array [tiles used]
        Coordinates of each tile.
    segments : int64 array [tiles used + 1]
        Where the pieces of each tile start.
    dense_box, result_box : int64 array [pieces, 6]
        What each piece needs of the operand, and has of the result.
    """

    dense: Side
    result: Side
    p_rows: int
    p_inner: int
    p_n: int
    tile: TileArray
    row_part: IntArray
    inner_part: IntArray
    col_part: IntArray
    segments: IntArray
    dense_box: IntArray
    result_box: IntArray

    @property
    def piece(self) -> IntArray:
        """The tile (by its place in the arrays) of each piece: int64 array [pieces]."""
        return np.repeat(np.arange(len(self.tile), dtype=np.int64), np.diff(self.segments))

    @property
    def whole(self) -> bool:
        """Whether every tile has one piece."""
        return len(self.dense_box) == len(self.tile)


def build_dynamic_grid(plan: DynamicSparsePlan, groups: int) -> DynamicGrid:
    """Return the grid of a plan; `groups` is the number of matrices in which the columns lie."""
    problem, chosen = plan.problem, plan.plan
    dense = Side(problem.k, problem.n, groups, problem.dense_transposed)
    result = Side(problem.m, problem.n, groups, problem.output_transposed)
    p_m, p_k, p_n = chosen.p_m, chosen.p_k, chosen.p_n
    x, y, z = (axis.ravel().astype(np.int64) for axis in np.indices((p_m, p_k, p_n)))
    tile = ((y * p_n + z) * p_m + x).astype(np.int32)
    rows, inner = (y, x) if plan.transposed else (x, y)
    row_size, inner_size = chosen.x_groups, chosen.y_groups
    if plan.transposed:
        row_size, inner_size = inner_size, row_size
    block = chosen.problem.block_size

    begin, end = column_pieces(problem.n, groups, chosen.z, p_n)
    of_part = np.searchsorted(begin // chosen.z, np.arange(p_n + 1))
    counts = np.diff(of_part)[z]
    segments = np.concatenate([[0], np.cumsum(counts)])
    piece = np.repeat(np.arange(len(tile)), counts)
    col = of_part[z][piece] + np.arange(len(piece)) - segments[piece]

    def rows_of(part: IntArray, size: int, extent: int) -> tuple[IntArray, IntArray]:
        return part * size * block, np.minimum((part + 1) * size * block, extent)

    return DynamicGrid(
        dense,
        result,
        int(rows.max()) + 1,
        int(inner.max()) + 1,
        p_n,
        tile,
        rows,
        inner,
        z,
        segments,
        dense.boxes(*rows_of(inner[piece], inner_size, problem.k), begin[col], end[col]),
        result.boxes(*rows_of(rows[piece], row_size, problem.m), begin[col], end[col]),
    )


def column_pieces(n: int, groups: int, width: int, parts: int) -> tuple[IntArray, IntArray]:
    """Return where the pieces of all parts of the columns begin and end, ascending.

    Parameters
    ----------
    n, groups : int
        Columns, and matrices in which they lie. A single matrix is padded to whole parts.
    width, parts : int
        Columns of a part, and parts.
    """
    begin = np.arange(parts, dtype=np.int64) * width
    if groups == 1:
        return begin, begin + width
    begin = np.unique(np.concatenate([begin, np.arange(groups, dtype=np.int64) * (n // groups)]))
    return begin, np.append(begin[1:], n)
