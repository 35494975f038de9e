"""The tiles of a dynamic weight gradient: which columns of the two dense operands each has.

Arrays over tiles are in the order of the buckets, ``(x * p_k + y) * p_n + z``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.program import Home, TileArray
from ipusim.ir.regions import IntArray
from ipusim.lower.bucket_variables import bucket_tiles
from ipusim.lower.dynamic_grid import Columns, Side, column_pieces, part_boxes, shared_pieces_home
from ipusim.plan.dynamic_gradient import DynamicGradientPlan


@dataclass(frozen=True, slots=True)
class GradientSide:
    """A dense operand of the gradient, whose rows are the rows or the columns of what is laid out.

    Attributes
    ----------
    tensor : str
    side : Side
    blocks : int
        Most rows of a tile, in blocks.
    sharers : int
        Tiles that need the same rows and columns of it.
    box : int64 array [tiles used * pieces, 6]
        What each tile needs.
    home : Home
        Where the operand lives: every sharer has an equal part.
    """

    tensor: str
    side: Side
    blocks: int
    sharers: int
    box: IntArray
    home: Home


@dataclass(frozen=True, slots=True)
class GradientGrid:
    """A weight gradient over its tiles.

    Attributes
    ----------
    tile : int32 array [tiles used]
    pieces : int
        Runs of columns of each tile; some may be empty.
    segments : int64 array [tiles used + 1]
        Where the pieces of each tile start.
    rows, cols : GradientSide
    """

    tile: TileArray
    pieces: int
    segments: IntArray
    rows: GradientSide
    cols: GradientSide


def build_gradient_grid(plan: DynamicGradientPlan) -> GradientGrid:
    """Return the grid of a plan."""
    problem, chosen = plan.problem, plan.plan
    groups = 1 if problem.left_flipped and problem.right_flipped else problem.groups
    columns = equal_pieces(column_pieces(problem.n, groups, chosen.z, chosen.p_n))
    left = problem.left, Side(problem.m, problem.n, groups, problem.left_flipped)
    right = problem.right, Side(problem.k, problem.n, groups, problem.right_flipped)
    first, second = (right, left) if plan.stored_transposed else (left, right)
    x, y, z = (axis.ravel().astype(np.int64) for axis in np.indices((chosen.p_m, chosen.p_k, chosen.p_n)))
    tile, size = bucket_tiles(chosen), chosen.problem.block_size
    pieces = int(columns.first[1])

    def operand(of: tuple[str, Side], part: IntArray, other: IntArray, blocks: int, sharers: int) -> GradientSide:
        box, _ = part_boxes(of[1], part, blocks * size, z, columns)
        home = shared_pieces_home(np.repeat(tile, pieces), box, np.repeat(other, pieces), sharers)
        return GradientSide(*of, blocks, sharers, box, home)

    rows = operand(first, x, y, chosen.x_groups, chosen.p_k)
    cols = operand(second, y, x, chosen.y_groups, chosen.p_m)
    return GradientGrid(tile, pieces, np.arange(len(tile) + 1, dtype=np.int64) * pieces, rows, cols)


def equal_pieces(columns: Columns) -> Columns:
    """Return the same pieces, with empty ones so that every part has as many."""
    counts = np.diff(columns.first)
    most = int(counts.max())
    place = np.arange(most)[None, :]
    index = columns.first[:-1, None] + np.minimum(place, counts[:, None] - 1)
    end = columns.end[index]
    begin = np.where(place < counts[:, None], columns.begin[index], end)
    return Columns(begin.ravel(), end.ravel(), np.arange(len(counts) + 1, dtype=np.int64) * most)
