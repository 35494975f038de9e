"""The grid of tiles of a convolution plan: which block of work each tile has, and how its tensors are seen.

A used tile has coordinates ``(b, g, h, w, k, i, j)``: images, channel groups, rows, columns, kernel rows, input and
output channels, with `j` running fastest, so that neighbours, which share an exchange bus, need the same inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import TileArray
from ipusim.ir.regions import IntArray
from ipusim.lower.grid import Pairs
from ipusim.plan.conv import ConvPlan
from ipusim.plan.conv_problem import ConvProblem
from ipusim.plan.pool import PoolPlan

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FieldView:
    """How a tensor ``[images, channels, height, width]`` is seen as a stack of matrices.

    Attributes
    ----------
    channels, height, width : int
    images : int
    stacked : bool
        One matrix ``[height, width]`` for each channel of each image; else one ``[channels, height x width]`` for each
        image, where a tile has several images.
    """

    images: int
    channels: int
    height: int
    width: int
    stacked: bool

    @property
    def shape(self) -> Shape:
        """Shape of the variable."""
        if self.stacked:
            return self.images * self.channels, self.height, self.width
        return self.images, self.channels, self.height * self.width

    def boxes(self, images: Pairs, channels: Pairs, rows: Pairs, cols: Pairs) -> IntArray:
        """Return the boxes ``[n, 6]`` of ranges, int64 [n, 2] each.

        Stacked, a range of images is one image. Not stacked, several rows are whole rows.
        """
        if self.stacked:
            groups = images[:, :1] * self.channels + channels
            return np.ascontiguousarray(np.concatenate([groups, rows, cols], axis=1))
        filled = ((rows[:, 1] > rows[:, 0]) & (cols[:, 1] > cols[:, 0]))[:, None]
        begin = rows[:, :1] * self.width + cols[:, :1]
        end = (rows[:, 1:] - 1) * self.width + cols[:, 1:]
        field = np.where(filled, np.concatenate([begin, end], axis=1), 0)
        return np.ascontiguousarray(np.concatenate([images, channels, field], axis=1))

    def field_of(self, box: IntArray) -> tuple[Pairs, Pairs]:
        """Return the rows and columns of boxes that :meth:`boxes` made."""
        if self.stacked:
            return box[:, 2:4], box[:, 4:6]
        if self.height == 1:
            return np.tile(np.array([0, 1], dtype=np.int64), (len(box), 1)), box[:, 4:6]
        rows = box[:, 4:6] // self.width
        return rows, np.tile(np.array([0, self.width], dtype=np.int64), (len(box), 1))


@dataclass(frozen=True, slots=True)
class ConvGrid:
    """Blocks of a convolution plan over its tiles, all ranges half-open int64 arrays [n, 2].

    Attributes
    ----------
    tile : int32 array [n]
    shape : tuple of seven int
        Parts along the coordinates.
    coordinates : tuple of seven int64 arrays [n]
    images, groups, rows, cols, kernel : int64 arrays [n, 2]
        Of images, channel groups, the result's field, and kernel rows.
    inner, outer : int64 arrays [n, 2]
        Input and output channels within a group.
    x, y : FieldView
    """

    tile: TileArray
    shape: tuple[int, ...]
    coordinates: tuple[IntArray, ...]
    images: Pairs
    groups: Pairs
    rows: Pairs
    cols: Pairs
    kernel: Pairs
    inner: Pairs
    outer: Pairs
    x: FieldView
    y: FieldView

    def __len__(self) -> int:
        return len(self.tile)

    def channels(self, which: Pairs, per_group: int) -> Pairs:
        """Return ranges of channels of the tensor from ranges `which` of channels within the groups of each tile.

        Where a tile has several groups, it has all their channels.
        """
        begin = self.groups[:, 0] * per_group + which[:, 0]
        end = (self.groups[:, 1] - 1) * per_group + which[:, 1]
        return np.stack([begin, end], axis=1)


def build_conv_grid(plan: ConvPlan | PoolPlan) -> ConvGrid:
    """Return the grid of `plan`."""
    problem, variant, split = plan.problem, plan.variant, plan.split
    shape = tuple(split)
    b, g, h, w, k, i, j = (axis.ravel().astype(np.int64) for axis in np.indices(shape))
    n_groups = ceil_div(problem.groups, variant.side)
    in_groups = ceil_div(problem.in_channels, variant.in_channels)
    out_groups = ceil_div(problem.out_channels, variant.out_channels)
    images = parts(b, problem.batch, split.p_batch)
    stacked = int((images[:, 1] - images[:, 0]).max()) == 1
    channels_in, channels_out = problem.groups * problem.in_channels, problem.groups * problem.out_channels
    return ConvGrid(
        np.arange(len(b), dtype=np.int32),
        shape,
        (b, g, h, w, k, i, j),
        images,
        np.minimum(parts(g, n_groups, split.p_groups) * variant.side, problem.groups),
        parts(h, problem.field_out[0], split.p_h),
        parts(w, problem.field_out[1], split.p_w),
        parts(k, problem.kernel[0], split.p_kernel),
        np.minimum(parts(i, in_groups, split.p_in) * variant.in_channels, problem.in_channels),
        np.minimum(parts(j, out_groups, split.p_out) * variant.out_channels, problem.out_channels),
        FieldView(problem.batch, channels_in, *problem.field_in, stacked),
        FieldView(problem.batch, channels_out, *problem.field_out, stacked),
    )


def parts(index: IntArray, extent: int, count: int) -> Pairs:
    """Return the ranges of the parts `index` of an extent cut into `count`, each as large as the first but the last."""
    size = ceil_div(extent, count)
    begin = np.minimum(index * size, extent)
    return np.stack([begin, np.minimum(begin + size, extent)], axis=1)


def needed(out: Pairs, kernel: Pairs, problem: ConvProblem, axis: int) -> Pairs:
    """Return the input elements that ranges of outputs need along one axis for ranges of the kernel.

    Cut to the input; empty as ``0:0`` where only padding is needed.
    """
    stride, dilation, before = problem.stride[axis], problem.dilation[axis], problem.before[axis]
    begin = out[:, 0] * stride + kernel[:, 0] * dilation - before
    end = (out[:, 1] - 1) * stride + (kernel[:, 1] - 1) * dilation - before + 1
    found = np.clip(np.stack([begin, end], axis=1), 0, problem.field_in[axis])
    return np.where((found[:, 1] > found[:, 0])[:, None], found, 0)


def needed_field(grid: ConvGrid, problem: ConvProblem) -> tuple[Pairs, Pairs]:
    """Return the rows and columns of the input that each tile needs."""
    rows = needed(grid.rows, grid.kernel, problem, 0)
    if not grid.x.stacked and grid.x.height > 1:
        return rows, np.tile(np.array([0, grid.x.width], dtype=np.int64), (len(grid), 1))
    all_columns = np.tile(np.array([0, problem.kernel[1]], dtype=np.int64), (len(grid), 1))
    return rows, needed(grid.cols, all_columns, problem, 1)
