"""The operands of a dense matmul: each tile's blocks, where they live, and how they reach the tiles that need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ipusim.ir.program import Home, TileArray, Transfers, Variable
from ipusim.ir.regions import IntArray, Regions, volume
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.grid import Grid, boxes, dense_index, even_share, rank_in_group
from ipusim.plan.dense import DensePlan

Step = tuple[int, int, int]


class Tiled(Protocol):
    """A grid: something with a tile for each block."""

    @property
    def tile(self) -> TileArray:
        """Tile of each block: int32 array [n]."""


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of the product as the grid sees it.

    Attributes
    ----------
    tensor : str
    label : str
        ``inputs`` for what streams through the AMP, ``weights`` for what it holds.
    shape : tuple of three int
        Of the variable.
    block : int64 array [n, 6]
        Each tile's block in the first serial slice.
    group : int64 array [n]
        Tiles with the same number hold the same block and share it out among them.
    step : tuple of three int
        Distance to the block of the next serial slice; zeros if the operand is not sliced.
    count : int
        Number of slices.
    """

    tensor: str
    label: str
    shape: tuple[int, int, int]
    block: IntArray
    group: IntArray
    step: Step
    count: int


def product_sides(builder: Builder, op: Op, plan: DensePlan, grid: Grid) -> tuple[Side, Side]:
    """Return left and right operand of ``Y[m, n] = A[m, k] B[k, n]`` with their blocks."""
    left_rows, right_cols = (grid.outer, grid.rows) if plan.variant.swapped else (grid.rows, grid.outer)
    left = _known_side(builder, op, plan, grid, 0, left_rows)
    right = _known_side(builder, op, plan, grid, 1, right_cols)
    return left, right


def _known_side(builder: Builder, op: Op, plan: DensePlan, grid: Grid, which: int, free: IntArray) -> Side:
    """Return an operand; its blocks are those of the first product on the same grid that reads one like it."""
    tensor = builder.graph.tensors[op.inputs[which]]
    transposed = bool(op.attrs.get("transpose_b" if which else "transpose_a", False))
    key = ("side", id(grid), which, transposed, tensor.n_elements)
    side = builder.sharing.once(key, lambda: _side(builder, op, plan, grid, which, free))
    return replace(side, tensor=tensor.name)


def _side(builder: Builder, op: Op, plan: DensePlan, grid: Grid, which: int, free: IntArray) -> Side:
    problem, split = plan.problem, plan.split
    streams = (which == 1) == bool(plan.variant.swapped)
    transposed = bool(op.attrs.get("transpose_b" if which else "transpose_a", False))
    flip = transposed != (which == 0)
    tensor = builder.graph.tensors[op.inputs[which]]
    free_extent = problem.n if which else problem.m
    broadcast = problem.groups > 1 and tensor.n_elements < problem.groups * problem.k * free_extent
    groups = np.tile(np.array([0, 1], dtype=np.int64), (len(grid), 1)) if broadcast else grid.groups
    block = boxes(groups, grid.inner, free, flip)
    shape = (1 if broadcast else problem.groups, problem.k, free_extent)
    if flip:
        shape = (shape[0], shape[2], shape[1])
    inner_step = grid.inner_step if split.s_inner > 1 else 0
    outer_step = grid.outer_step if split.s_outer > 1 and not streams else 0
    step: Step = (0, outer_step, inner_step) if flip else (0, inner_step, outer_step)
    part = grid.i if streams else grid.j
    shared = np.zeros_like(grid.g) if broadcast else grid.g
    return Side(
        tensor=tensor.name,
        label="inputs" if streams else "weights",
        shape=shape,
        block=block,
        group=dense_index(shared, part, grid.k),
        step=step,
        count=split.s_inner * (1 if streams else split.s_outer),
    )


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles of several grids, one grid after the other: int32 array [n]."""

    tile: TileArray


def joined_sides(grids: Sequence[Tiled], sides: Sequence[Side]) -> tuple[Tiled, Side]:
    """Return tiles and blocks of an operand that equal grids on different tiles have in common."""
    if len(sides) == 1:
        return grids[0], sides[0]
    tiles = Tiles(np.concatenate([grid.tile for grid in grids]))
    block = np.concatenate([side.block for side in sides])
    return tiles, replace(sides[0], block=block, group=np.concatenate([side.group for side in sides]))


def shared_home(grid: Tiled, side: Side) -> Home:
    """Return where an operand lives: each block is shared out evenly among the tiles that need it."""
    rank, size = rank_in_group(side.group)
    begin, end = even_share(volume(side.block), rank, size)
    return Home(grid.tile, Regions(side.block, begin, end, side.step, side.count))


def multicast(grid: Tiled, side: Side, variable: Variable) -> Transfers:
    """Return the exchange in which every tile of a group sends its share of the block to all the others."""
    assert variable.home is not None
    home = variable.home
    order = np.argsort(side.group, kind="stable")
    size = np.bincount(side.group)
    indptr = np.concatenate([[0], np.cumsum(size)])
    sends = np.flatnonzero((home.regions.end > home.regions.begin) & (size[side.group] > 1))
    return Transfers(
        variable=variable.name,
        label=side.label,
        source=home.tile[sends],
        regions=home.regions.take(sends),
        group=side.group[sends].astype(np.int32),
        group_indptr=indptr,
        group_tiles=grid.tile[order],
    )
