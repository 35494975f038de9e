"""Execution of convolutions: the windows of each tile as a matrix, times the weights of its output channels.

A vertex reads the box of the input that its tile holds and nothing else: what lies outside counts as zero, as padding
does. Tiles that differ in their output channels alone have the same windows (a panel), which are laid out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ipusim.engine.conv_depth import Depth, depth_of
from ipusim.engine.executors import Bound
from ipusim.engine.values import F32Array, Values
from ipusim.errors import VerifierError
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray
from ipusim.kernels.convolution import gather_windows, scatter_blocks
from ipusim.kernels.matmul import multiply_boxes
from ipusim.kernels.workers import Done, Workers, share_of
from ipusim.lower.convolution import ConvWork

SCRATCH_ELEMENTS = 1 << 24
"""Elements of windows, or of results, that are held at once."""


@dataclass(frozen=True, slots=True)
class Panels:
    """Windows of the tiles that differ in their output channels alone, one matrix for each group of channels.

    Attributes
    ----------
    rows : int64 array [p, 13]
        What :func:`~ipusim.kernels.convolution.gather_windows` takes.
    outputs : int64 array [p]
        Columns of each panel.
    column : int64 array [p]
        Its first column, all panels side by side.
    """

    rows: IntArray
    outputs: IntArray
    column: IntArray


@dataclass(frozen=True, slots=True)
class Products:
    """One matrix product for each vertex and each of its channel groups, in the order of the panels.

    Attributes
    ----------
    panel : int64 array [n]
    channels : int64 array [n, 2]
        Range of output channels of the tensor.
    first_row : int64 array [n]
        Row of the result of its panel.
    blocks : int64 array [n, 8]
        Where the result goes: what :func:`~ipusim.kernels.convolution.scatter_blocks` takes but the last two.
    """

    panel: IntArray
    channels: IntArray
    first_row: IntArray
    blocks: IntArray


def convolve(vertices: VertexSet, operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    """Execute the multiplying vertices of a convolution."""
    x, w, out = operands
    work = vertices.payload
    assert isinstance(work, ConvWork)
    problem, grid = work.plan.problem, work.grid
    if vertices.settings["partials"] != out.dtype:
        raise VerifierError(f"{vertices.codelet} forms {vertices.settings['partials']} sums but writes {out.dtype}")
    depth = depth_of(work)
    images = x.values.reshape(problem.batch, grid.x.channels, *problem.field_in)
    result = out.values.reshape(-1, grid.y.channels, *problem.field_out)
    kernels = w.values.reshape(w.values.shape[0], problem.in_channels, *problem.kernel)
    room = values.buffers
    factors = room.take(len(kernels) * len(depth.table)).reshape(1, len(kernels), -1)
    workers.do(lambda _workers: _write_factors(kernels, depth, factors[0]))
    sliding = np.array([*problem.stride, *problem.dilation, *problem.before], dtype=np.int64)
    panels = _panels(work, x, depth)
    products = _products(work, out)
    tallest = max(int(panels.rows[:, 12].max()), problem.out_channels)
    batches = _batches(panels, SCRATCH_ELEMENTS // tallest)
    for number, (begin, end) in enumerate(batches):
        chosen = slice(*np.searchsorted(products.panel, (begin, end)))
        panel = products.panel[chosen]
        shift = int(panels.column[begin])
        columns = int(panels.column[end - 1] + panels.outputs[end - 1]) - shift
        deepest = int(panels.rows[begin:end, 12].max())
        windows = room.take(deepest * columns).reshape(1, deepest, columns)
        gather = partial(
            gather_windows, images, panels.rows[begin:end], panels.column[begin:end] - shift, depth.table, sliding
        )
        workers.run(partial(gather, windows[0]), end - begin)
        sums = room.take(problem.out_channels * columns).reshape(1, problem.out_channels, columns)
        first, length = panels.rows[panel, 11], panels.rows[panel, 12]
        low = panels.column[panel] - shift
        rows = products.first_row[chosen]
        channels = products.channels[chosen]
        multiply_boxes(
            factors,
            windows,
            sums,
            _matrix_boxes(channels[:, 0], channels[:, 1], first, first + length),
            _matrix_boxes(np.zeros_like(length), length, low, low + panels.outputs[panel]),
            _matrix_boxes(rows, rows + channels[:, 1] - channels[:, 0], low, low + panels.outputs[panel]),
            workers,
            round_every=depth.round_every if out.half_sums else 0,
            key=out.sums_key(number),
            done=share_of(done, number, len(batches)),
        )
        blocks = np.concatenate([products.blocks[chosen], rows[:, None], low[:, None]], axis=1)
        workers.run(partial(scatter_blocks, sums[0], blocks, result), len(blocks))
        room.give(windows.reshape(-1))
        room.give(sums.reshape(-1))
    room.give(factors.reshape(-1))


def _write_factors(w: F32Array, depth: Depth, factors: F32Array) -> None:
    """Write the weights as one matrix [output channels, products of all parts], zeros where a product is one."""
    channel, ky, kx = depth.table.T
    factors[:] = w[:, channel, ky, kx]
    factors[:, channel < 0] = np.float32(0.0)


def _panels(work: ConvWork, x: Bound, depth: Depth) -> Panels:
    """Return the windows of every tile with the first output channels."""
    grid, problem = work.grid, work.plan.problem
    _, _, _, _, _, p_in, p_out = grid.shape
    base = np.arange(0, len(grid), p_out)
    held_rows, held_cols = grid.x.field_of(x.regions.box)
    tile, group = _with_groups(work, base)
    part = grid.coordinates[4][tile] * p_in + grid.coordinates[5][tile]
    counts = [_extent(ranges[tile]) for ranges in (grid.images, grid.rows, grid.cols)]
    rows = np.stack(
        [
            grid.images[tile, 0],
            counts[0],
            group * problem.in_channels,
            grid.rows[tile, 0],
            counts[1],
            grid.cols[tile, 0],
            counts[2],
            held_rows[tile, 0],
            held_rows[tile, 1],
            held_cols[tile, 0],
            held_cols[tile, 1],
            depth.starts[part],
            depth.starts[part + 1] - depth.starts[part],
        ],
        axis=1,
    )
    outputs = counts[0] * counts[1] * counts[2]
    return Panels(np.ascontiguousarray(rows), outputs, np.cumsum(outputs) - outputs)


def _products(work: ConvWork, out: Bound) -> Products:
    """Return the products of all vertices, by panel."""
    grid, problem = work.grid, work.plan.problem
    p_out = grid.shape[6]
    every = np.arange(len(grid))
    tile, group = _with_groups(work, every)
    groups = _extent(grid.groups)[::p_out]
    first_panel = np.cumsum(groups) - groups
    panel = first_panel[tile // p_out] + group - grid.groups[tile, 0]
    order = np.argsort(panel, kind="stable")
    tile, group, panel = tile[order], group[order], panel[order]
    channels = group[:, None] * problem.out_channels + grid.outer[tile]
    image = out.regions.box[tile, 0] // grid.y.channels if grid.y.stacked else out.regions.box[tile, 0]
    blocks = np.stack(
        [
            image,
            _extent(grid.images[tile]),
            channels[:, 0],
            _extent(channels),
            grid.rows[tile, 0],
            _extent(grid.rows[tile]),
            grid.cols[tile, 0],
            _extent(grid.cols[tile]),
        ],
        axis=1,
    )
    return Products(panel, channels, grid.outer[tile, 0], blocks)


def _with_groups(work: ConvWork, tiles: IntArray) -> tuple[IntArray, IntArray]:
    """Return every pair of one of some tiles and one of its channel groups."""
    groups = work.grid.groups[tiles]
    counts = _extent(groups)
    tile = np.repeat(tiles, counts)
    rank = np.arange(len(tile)) - np.repeat(np.cumsum(counts) - counts, counts)
    return tile, np.repeat(groups[:, 0], counts) + rank


def _batches(panels: Panels, limit: int) -> list[tuple[int, int]]:
    """Return ranges of panels with at most `limit` columns each, or of one panel."""
    ends = panels.column + panels.outputs
    ranges = []
    begin = 0
    while begin < len(ends):
        end = max(begin + 1, int(np.searchsorted(ends, panels.column[begin] + limit, side="right")))
        ranges.append((begin, end))
        begin = end
    return ranges


def _extent(ranges: IntArray) -> IntArray:
    extent: IntArray = ranges[:, 1] - ranges[:, 0]
    return extent


def _matrix_boxes(row_0: IntArray, row_1: IntArray, col_0: IntArray, col_1: IntArray) -> IntArray:
    """Return boxes of the only matrix of a stack."""
    zeros = np.zeros_like(row_0)
    return np.stack([zeros, zeros + 1, row_0, row_1, col_0, col_1], axis=1)
