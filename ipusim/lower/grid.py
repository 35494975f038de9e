"""The grid of tiles of a matmul plan: which block of work each tile has, and which pieces of the operands it keeps.

A used tile has coordinates ``(g, i, k, j)``: groups, rows, inner and outer part. Tiles are numbered with `j` running
fastest, so that neighbours, which share an exchange bus, work on the same rows and inner channels and can receive them
together (dense reference, section 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import TileArray
from ipusim.ir.regions import IntArray
from ipusim.plan.dense import DensePlan

Pairs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks of a matmul plan over its tiles; empty parts have no tile.

    Attributes
    ----------
    tile : int32 array [n]
        Tile of each used grid point.
    groups, rows, inner, outer : int64 array [n, 2]
        Half-open ranges of each tile's block in the first serial slice; `inner` and `outer` may stand past the edge
        where channels are padded to a whole group.
    g, i, k, j : int64 array [n]
        Coordinates.
    inner_step, outer_step : int
        Distance to the block of the next serial slice.
    """

    tile: TileArray
    groups: Pairs
    rows: Pairs
    inner: Pairs
    outer: Pairs
    g: IntArray
    i: IntArray
    k: IntArray
    j: IntArray
    inner_step: int
    outer_step: int

    def __len__(self) -> int:
        return len(self.tile)


def build_grid(plan: DensePlan) -> Grid:
    """Return the grid of `plan`; parts that would be empty in the first serial slice are left out."""
    product, variant, split = plan.product, plan.variant, plan.split
    shape = (split.p_groups, split.p_rows, split.p_inner, split.p_outer)
    g, i, k, j = (axis.ravel().astype(np.int64) for axis in np.indices(shape))
    inner_grains = ceil_div(product.inner, variant.inner_channels)
    outer_grains = ceil_div(product.outer, variant.outer_channels)
    per_inner = ceil_div(inner_grains, split.p_inner * split.s_inner)
    per_outer = ceil_div(outer_grains, split.p_outer * split.s_outer)
    groups = _parts(g, ceil_div(product.groups, split.p_groups), product.groups)
    rows = _parts(i, ceil_div(product.rows, split.p_rows), product.rows)
    inner = _parts(k, per_inner, inner_grains) * variant.inner_channels
    outer = _parts(j, per_outer, outer_grains) * variant.outer_channels
    used = np.ones(len(g), dtype=bool)
    for bounds in (groups, rows, inner, outer):
        used &= bounds[:, 1] > bounds[:, 0]
    return Grid(
        np.flatnonzero(used).astype(np.int32),
        groups[used],
        rows[used],
        inner[used],
        outer[used],
        g[used],
        i[used],
        k[used],
        j[used],
        per_inner * split.p_inner * variant.inner_channels,
        per_outer * split.p_outer * variant.outer_channels,
    )


def side_by_side(grid: Grid, count: int, tiles_per_bus: int) -> tuple[Grid, ...]:
    """Return a grid and copies of it on the tiles after it; each begins a new exchange bus."""
    distance = ceil_div(int(grid.tile.max()) + 1, tiles_per_bus) * tiles_per_bus
    return tuple(replace(grid, tile=(grid.tile + distance * index).astype(np.int32)) for index in range(count))


def _parts(index: IntArray, size: int, extent: int) -> Pairs:
    start = np.minimum(index * size, extent)
    return np.stack([start, np.minimum(start + size, extent)], axis=1)


def boxes(groups: Pairs, first: Pairs, second: Pairs, flip: bool) -> IntArray:
    """Return boxes ``[n, 6]`` from ranges of groups and of two axes; `flip` exchanges rows and columns."""
    rows, cols = (second, first) if flip else (first, second)
    return np.ascontiguousarray(np.concatenate([groups, rows, cols], axis=1))


def even_share(elements: IntArray, index: IntArray, parts: IntArray) -> tuple[IntArray, IntArray]:
    """Return the range of elements that holder `index` of `parts` keeps: shares differ by one element at most."""
    return elements * index // parts, elements * (index + 1) // parts


def rank_in_group(group: IntArray) -> tuple[IntArray, IntArray]:
    """Return each member's position within its group and the group's size, members in ascending order.

    Parameters
    ----------
    group : int64 array [n]
        Group of each member, numbered from 0.
    """
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - start[group[order]]
    return rank, size[group]


def dense_index(*coordinates: IntArray) -> IntArray:
    """Return one number from 0 for each distinct combination of coordinates, in lexicographic order."""
    key = np.zeros(len(coordinates[0]), dtype=np.int64)
    for values in coordinates:
        key = key * (int(values.max(initial=0)) + 1) + values
    return np.unique(key, return_inverse=True)[1].astype(np.int64)
