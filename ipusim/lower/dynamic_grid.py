"""The tiles of a dynamic sparse product: which rows and columns each has of the dense operand and of the result.

Arrays over tiles are in the order of the buckets, ``(x * p_k + y) * p_n + z``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ipusim.ir.program import Home, TileArray
from ipusim.ir.regions import IntArray, Regions, volume
from ipusim.lower.bucket_variables import bucket_tiles
from ipusim.lower.grid import even_share
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
    x, y, z = (axis.ravel().astype(np.int64) for axis in np.indices((chosen.p_m, chosen.p_k, chosen.p_n)))
    rows, inner = (y, x) if plan.transposed else (x, y)
    block = chosen.problem.block_size
    row_size, inner_size = chosen.x_groups * block, chosen.y_groups * block
    if plan.transposed:
        row_size, inner_size = inner_size, row_size
    columns = column_pieces(problem.n, groups, chosen.z, chosen.p_n)
    dense_box, segments = part_boxes(dense, inner, inner_size, z, columns)
    result_box, _ = part_boxes(result, rows, row_size, z, columns)
    p_rows, p_inner = int(rows.max()) + 1, int(inner.max()) + 1
    tile = bucket_tiles(chosen)
    return DynamicGrid(
        dense, result, p_rows, p_inner, chosen.p_n, tile, rows, inner, z, segments, dense_box, result_box
    )


class Columns(NamedTuple):
    """The pieces in which the columns of a product are cut.

    Attributes
    ----------
    begin, end : int64 array [pieces]
        Ascending.
    first : int64 array [parts + 1]
        Where the pieces of each part start.
    """

    begin: IntArray
    end: IntArray
    first: IntArray


def part_boxes(
    side: Side, row_part: IntArray, row_size: int, col_part: IntArray, columns: Columns
) -> tuple[IntArray, IntArray]:
    """Return the boxes of parts of a matrix, [pieces, 6], and where those of each part start, [n + 1].

    Parameters
    ----------
    side : Side
    row_part, col_part : int64 array [n]
        Which rows and columns each of the parts has.
    row_size : int
        Rows of a part; the last one may have fewer.
    columns : Columns
    """
    counts = np.diff(columns.first)[col_part]
    segments = np.concatenate([[0], np.cumsum(counts)])
    owner = np.repeat(np.arange(len(col_part)), counts)
    piece = columns.first[col_part][owner] + np.arange(len(owner)) - segments[owner]
    begin = row_part[owner] * row_size
    end = np.minimum(begin + row_size, side.extent)
    return side.boxes(begin, end, columns.begin[piece], columns.end[piece]), segments


def shared_pieces_home(tile: TileArray, box: IntArray, member: IntArray, members: int) -> Home:
    """Return where a dense operand lives: tile number `member` of those that need a piece keeps its equal share."""
    begin, end = even_share(volume(box), member, np.full(len(box), members))
    return Home(tile, Regions(box, begin, end))


def column_pieces(n: int, groups: int, width: int, parts: int) -> Columns:
    """Return the pieces of all parts of the columns.

    Parameters
    ----------
    n, groups : int
        Columns, and matrices in which they lie. A single matrix is padded to whole parts.
    width, parts : int
        Columns of a part, and parts.
    """
    begin = np.arange(parts, dtype=np.int64) * width
    end = begin + width
    if groups > 1:
        begin = np.unique(np.concatenate([begin, np.arange(groups, dtype=np.int64) * (n // groups)]))
        end = np.append(begin[1:], n)
    return Columns(begin, end, np.searchsorted(begin // width, np.arange(parts + 1)))
