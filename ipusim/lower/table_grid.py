"""Which tile has which part of a table, and of the indices that look it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.program import Home, TileArray, Transfers, Variable
from ipusim.ir.regions import IntArray, volume, whole_boxes
from ipusim.plan.table_split import TableProblem, TableSplit, grain_elements


@dataclass(frozen=True, slots=True)
class TableGrid:
    """The parts of each tile, the dictionary's on neighbouring tiles.

    Attributes
    ----------
    problem : TableProblem
    split : TableSplit
    tile : int32 array [n]
    part : TableSplit of int64 arrays [n]
        Which part of each axis a tile has.
    lookups, outer, inner, rows : int64 arrays [n, 2]
        Bounds of these parts.
    """

    problem: TableProblem
    split: TableSplit
    tile: TileArray
    part: tuple[IntArray, IntArray, IntArray, IntArray]
    lookups: IntArray
    outer: IntArray
    inner: IntArray
    rows: IntArray

    def table_boxes(self) -> IntArray:
        """Return the part of the table of each tile: int64 array [n, 6]."""
        return np.concatenate([self.outer, self.rows, self.inner], axis=1)

    def shared_rows(self) -> IntArray:
        """Return those rows of its part that a tile holds, where others have the same part: int64 array [n, 2]."""
        return cut_again(self.rows, self.part[0], self.split.lookups)

    def own_lookups(self) -> IntArray:
        """Return those of its indices whose results a tile makes: int64 array [n, 2]."""
        return cut_again(self.lookups, self.part[3], self.split.dictionary)


def build_table_grid(problem: TableProblem, split: TableSplit) -> TableGrid:
    """Return the parts of each tile."""
    extents = (split.lookups, split.outer, split.inner, split.dictionary)
    lookups, outer, inner, rows = (axis.ravel().astype(np.int64) for axis in np.indices(extents))
    return TableGrid(
        problem,
        split,
        np.arange(len(rows), dtype=np.int32),
        (lookups, outer, inner, rows),
        even_cut(problem.lookups, lookups, split.lookups),
        even_cut(problem.outer, outer, split.outer),
        even_cut(problem.inner, inner, split.inner, grain_elements(problem)),
        even_cut(problem.dictionary, rows, split.dictionary),
    )


def even_cut(extent: int, index: IntArray, parts: int, grain: int = 1) -> IntArray:
    """Return the bounds of parts of an axis, which differ by a grain at most: int64 array [n, 2]."""
    units = -(-extent // grain)
    low, high = index * units // parts * grain, (index + 1) * units // parts * grain
    return np.minimum(np.stack([low, high], axis=1), extent)


def cut_again(bounds: IntArray, index: IntArray, parts: int) -> IntArray:
    """Return the bounds of parts of parts: int64 array [n, 2]."""
    extent = bounds[:, 1] - bounds[:, 0]
    cut: IntArray = bounds[:, :1] + np.stack([index * extent // parts, (index + 1) * extent // parts], axis=1)
    return cut


def table_home(grid: TableGrid) -> Home:
    """Return where a table lies that is only read: tiles with the same part hold an equal share of it each."""
    box = np.concatenate([grid.outer, grid.shared_rows(), grid.inner], axis=1)
    filled = np.flatnonzero(volume(box) > 0)
    return Home(grid.tile[filled], whole_boxes(box[filled]))


def table_multicast(grid: TableGrid, table: Variable) -> Transfers:
    """Return the exchange in which tiles with the same part of a table send their shares to one another."""
    _, outer, inner, rows = grid.part
    group = (outer * grid.split.inner + inner) * grid.split.dictionary + rows
    return _multicast(grid, table, "table", group, grid.split.lookups)


def updates_home(grid: TableGrid) -> Home:
    """Return where updates lie: tiles that need the same ones hold an equal share of them each."""
    box = np.concatenate([grid.outer, grid.own_lookups(), grid.inner], axis=1)
    filled = np.flatnonzero(volume(box) > 0)
    return Home(grid.tile[filled], whole_boxes(box[filled]))


def updates_multicast(grid: TableGrid, updates: Variable) -> Transfers:
    """Return the exchange in which tiles that need the same updates send their shares to one another."""
    size = grid.split.dictionary
    return _multicast(grid, updates, "updates", np.arange(len(grid.tile)) // size, size)


def _multicast(grid: TableGrid, variable: Variable, label: str, group: IntArray, size: int) -> Transfers:
    """Return the exchange in which each tile sends what it holds to all others of its group of `size` tiles."""
    home = variable.home
    assert home is not None
    return Transfers(
        variable=variable.name,
        label=label,
        source=home.tile,
        regions=home.regions,
        group=group[home.tile].astype(np.int32),
        group_indptr=np.arange(0, len(group) + 1, size, dtype=np.int64),
        group_tiles=grid.tile[np.argsort(group, kind="stable")],
    )
