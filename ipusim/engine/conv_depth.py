"""In which order the vertices of a convolution add up their products, and when they round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.regions import IntArray
from ipusim.lower.convolution import ConvWork
from ipusim.plan.conv import ConvPlan
from ipusim.plan.conv_estimate import AMP_NX1, VMAC, first_extent, largest_share


@dataclass(frozen=True, slots=True)
class Depth:
    """The products of an output element, part by part; a part is what one tile adds up.

    Attributes
    ----------
    table : int64 array [n, 3]
        Input channel of the group, kernel row and kernel column of each product; channel -1 is a product with zero,
        where channels or kernel rows are padded.
    starts : int64 array [parts + 1]
        Part ``p`` is ``table[starts[p]:starts[p + 1]]``.
    round_every : int
        Products between two roundings of 16-bit sums.
    """

    table: IntArray
    starts: IntArray
    round_every: int


def depth_of(work: ConvWork) -> Depth:
    """Return the products of the outputs of a convolution in the order of the partial matrices."""
    grid, plan = work.grid, work.plan
    _, _, _, _, p_kernel, p_in, p_out = grid.shape
    last_axes = np.arange(p_kernel * p_in) * p_out
    height = _height(plan)
    tables = [_products(plan, grid.kernel[tile], grid.inner[tile], height) for tile in last_axes]
    starts = np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64)
    return Depth(np.concatenate(tables), starts, plan.variant.in_channels * height)


def _height(plan: ConvPlan) -> int:
    """Return the elements along the first kernel dimension that a vertex takes at once."""
    if plan.variant.vertex == VMAC:
        return first_extent(plan.conv, largest_share(plan.conv, plan.variant, plan.split).kernel_h)
    return plan.unit_channels // plan.variant.in_channels if plan.variant.vertex == AMP_NX1 else 1


def _products(plan: ConvPlan, kernel: IntArray, inner: IntArray, height: int) -> IntArray:
    """Return the products of one part: channel groups, then the kernel `height` elements at a time, then channels.

    Of the kernel's dimensions the first is the slow one.
    """
    width, grain = plan.problem.kernel[1], plan.variant.in_channels
    first = (int(kernel[0]), int(kernel[1])) if plan.problem.rank == 2 else (0, width)
    n_first = -(-(first[1] - first[0]) // height)
    n_rest = width if plan.problem.rank == 2 else 1
    n_groups = -(-int(inner[1] - inner[0]) // grain)
    group, outer, rest, within, channel = (
        axis.ravel() for axis in np.indices((n_groups, n_first, n_rest, height, grain))
    )
    channel = inner[0] + group * grain + channel
    along = first[0] + outer * height + within
    missing = (channel >= inner[1]) | (along >= first[1])
    ky, kx = (along, rest) if plan.problem.rank == 2 else (rest, along)
    table = np.stack([channel, ky, kx], axis=1).astype(np.int64)
    table[missing] = (-1, 0, 0)
    return table
