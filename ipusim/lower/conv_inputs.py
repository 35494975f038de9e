"""The input of a convolution: where its elements live, and how they reach all the tiles that need them.

The blocks that tiles need overlap at their edges (the halo) wherever the kernel is wider than its stride. The field is
therefore cut at every edge of a block. Each of the cells so made lives on the tiles of the first block that needs it,
shared out among the tiles that compute different output channels of that block, and is sent from there to every tile
that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.program import Home, Transfers, Variable
from ipusim.ir.regions import IntArray, Regions, volume
from ipusim.lower.conv_grid import ConvGrid, needed_field
from ipusim.lower.grid import Pairs, even_share
from ipusim.plan.conv_problem import ConvProblem

SHARE_BYTES = 64
"""Least bytes of a cell that a tile keeps when several share it out: smaller pieces cost more than they carry."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Parts of the input that no edge of a block crosses.

    Attributes
    ----------
    box : int64 array [n, 6]
    home : Home
        Pieces of the cells where they live.
    cell : int64 array [pieces]
        The cell of each piece of `home`.
    group_indptr : int64 array [n + 1]
    group_tiles : int32 array [group_indptr[-1]]
        The tiles that need each cell, ascending.
    """

    box: IntArray
    home: Home
    cell: IntArray
    group_indptr: IntArray
    group_tiles: NDArray[np.int32]


def input_boxes(grid: ConvGrid, problem: ConvProblem) -> IntArray:
    """Return the part of the input that each tile needs: int64 array [n, 6]."""
    rows, cols = needed_field(grid, problem)
    return grid.x.boxes(grid.images, grid.channels(grid.inner, problem.in_channels), rows, cols)


def input_cells(grid: ConvGrid, problem: ConvProblem, element_bytes: int) -> Cells:
    """Return the cells of the input of a convolution."""
    _, _, p_h, p_w, p_kernel, _, p_out = grid.shape
    rows, cols = needed_field(grid, problem)
    by_part = np.arange(len(grid)).reshape(grid.shape)
    high = _Axis(rows[by_part[0, 0, :, 0, :, 0, 0].ravel()], problem.field_in[0])
    wide = _Axis(cols[by_part[0, 0, 0, :, 0, 0, 0].ravel()], problem.field_in[1])
    plane = by_part[:, :, 0, 0, 0, :, 0].ravel()
    channels = grid.channels(grid.inner, problem.in_channels)
    n_high, n_wide, n_planes = len(high.cells), len(wide.cells), len(plane)
    index = np.arange(n_planes * n_high * n_wide)
    at_plane, at_high, at_wide = np.unravel_index(index, (n_planes, n_high, n_wide))
    tile_plane = plane[at_plane]
    box = grid.x.boxes(grid.images[tile_plane], channels[tile_plane], high.cells[at_high], wide.cells[at_wide])

    # Tiles by (plane, block row with kernel part, block column, output part).
    ordered = by_part.transpose(0, 1, 5, 2, 4, 3, 6).reshape(n_planes, p_h * p_kernel, p_w, p_out)
    cell_high, user_high = np.nonzero(high.users)
    cell_wide, user_wide = np.nonzero(wide.users)
    a, b = (axis.ravel() for axis in np.indices((len(cell_high), len(cell_wide))))
    tiles = ordered[:, user_high[a], user_wide[b], :]
    cells = (np.arange(n_planes)[:, None] * n_high + cell_high[a]) * n_wide + cell_wide[b]
    entry_tile, entry_cell = tiles.ravel(), np.repeat(cells.ravel(), p_out)
    order = np.lexsort((entry_tile, entry_cell))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(entry_cell, minlength=len(index)))])

    elements = volume(box)
    sharers = np.clip(elements * element_bytes // SHARE_BYTES, 1, p_out)
    piece_cell = np.repeat(index, sharers)
    rank = np.arange(len(piece_cell)) - np.repeat(np.cumsum(sharers) - sharers, sharers)
    begin, end = even_share(elements[piece_cell], rank, sharers[piece_cell])
    keeper = (rank + piece_cell * (sharers[piece_cell] < p_out)) % p_out
    owner = ordered[at_plane[piece_cell], high.owner[at_high[piece_cell]], wide.owner[at_wide[piece_cell]], keeper]
    filled = end > begin
    home = Home(owner[filled].astype(np.int32), Regions(box[piece_cell[filled]], begin[filled], end[filled]))
    return Cells(box, home, piece_cell[filled], indptr, entry_tile[order].astype(np.int32))


def input_transfers(cells: Cells, variable: Variable) -> Transfers:
    """Return the exchange in which every keeper of a piece sends it to all the tiles that need it."""
    users = np.diff(cells.group_indptr)
    first = cells.group_tiles[np.minimum(cells.group_indptr[:-1], len(cells.group_tiles) - 1)]
    alone = (users[cells.cell] == 1) & (first[cells.cell] == cells.home.tile)
    sends = np.flatnonzero((users[cells.cell] > 0) & ~alone)
    used = np.unique(cells.cell[sends])
    number = np.searchsorted(used, cells.cell[sends])
    sizes = users[used]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(cells.group_indptr[used] - indptr[:-1], sizes) + np.arange(indptr[-1])
    return Transfers(
        variable=variable.name,
        label="inputs",
        source=cells.home.tile[sends],
        regions=cells.home.regions.take(sends),
        group=number.astype(np.int32),
        group_indptr=indptr.astype(np.int64),
        group_tiles=cells.group_tiles[places],
    )


class _Axis:
    """One axis of the field, cut at every edge of the ranges that its users need.

    Attributes
    ----------
    cells : int64 array [c, 2]
    users : bool array [c, users]
    owner : int64 array [c]
        First user of each cell; for a cell that nobody needs, the last user that begins before it.
    """

    def __init__(self, ranges: Pairs, extent: int) -> None:
        edges = np.unique(np.concatenate([[0, extent], ranges.ravel()]))
        self.cells = np.stack([edges[:-1], edges[1:]], axis=1)
        self.users = (ranges[None, :, 0] <= self.cells[:, None, 0]) & (self.cells[:, None, 1] <= ranges[None, :, 1])
        before = np.where(ranges[None, :, 0] <= self.cells[:, None, 0], ranges[None, :, 0], -1)
        self.owner = np.where(self.users.any(axis=1), self.users.argmax(axis=1), before.argmax(axis=1))
