"""Lowering of a stencil: applications that take turns on two buffers, each with its halo, copies and vertices.

The grid is a stack ``[depth, height, width x channels]``, cut into blocks along its three axes. In every application a
tile receives the halo of its block, arranges both into one padded block, applies the stencil to it, and arranges the
result into the order of the tensor. All applications but the first and the last are a loop over two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ipusim.ir.program import Home, Operand, Repeat, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.operands import bring
from ipusim.plan.stencil import StencilPlan, StencilProblem


@dataclass(frozen=True, slots=True)
class StencilGrid:
    """The blocks of a plan, and what each of them reads.

    Attributes
    ----------
    tile : int32 array [n]
    box : int64 array [n, 6]
        The block of each tile.
    padded : int64 array [n, 3]
        Extents of the block with its halo, columns with channels.
    piece : int64 array [m, 6]
        Parts of the grid that a tile reads, tile by tile.
    source : int32 array [m]
        Tiles that hold them.
    segments : int64 array [n + 1]
        Pieces of each tile.
    """

    tile: TileArray
    box: IntArray
    padded: IntArray
    piece: IntArray
    source: TileArray
    segments: IntArray

    @property
    def home(self) -> Home:
        """Where the elements of the tensors live."""
        return Home(self.tile, whole_boxes(self.box))


def build_stencil_grid(plan: StencilPlan) -> StencilGrid:
    """Return the blocks of `plan`, one for each tile, in row-major order."""
    problem, split = plan.problem, plan.split
    axes = [_axis_pieces(problem, axis, split[axis]) for axis in range(3)]
    bounds = [_bounds(problem.extent[axis], split[axis]) for axis in range(3)]
    at = [index.ravel() for index in np.indices(split)]
    wide = np.array([1, 1, 1, 1, problem.channels, problem.channels])
    box = np.stack([bounds[axis][at[axis] + end] for axis in range(3) for end in (0, 1)], axis=1) * wide
    padded = box[:, 1::2] - box[:, ::2] + 2 * np.array(problem.radius) * wide[::2]
    which = [index.ravel() for index in np.indices([len(axis) for axis in axes])]
    chosen = [axes[axis][which[axis]] for axis in range(3)]
    reader, owner = (
        np.ravel_multi_index([piece[:, column] for piece in chosen], split).astype(np.int64) for column in (0, 1)
    )
    piece = np.stack([part[:, column] for part in chosen for column in (2, 3)], axis=1) * wide
    order = np.argsort(reader, kind="stable")
    counts = np.bincount(reader, minlength=len(box))
    segments = np.array([0, *accumulate(counts.tolist())], dtype=np.int64)
    tile = np.arange(len(box), dtype=np.int32)
    return StencilGrid(tile, box, padded, piece[order], owner[order].astype(np.int32), segments)


def _bounds(extent: int, parts: int) -> IntArray:
    bounds: IntArray = extent * np.arange(parts + 1, dtype=np.int64) // parts
    return bounds


def _axis_pieces(problem: StencilProblem, axis: int, parts: int) -> IntArray:
    """Return what the parts of an axis read of one another: int64 array [n, 4] of reader, owner, begin, end."""
    extent, reach = problem.extent[axis], problem.radius[axis]
    bounds = _bounds(extent, parts)
    rows = []
    for reader in range(parts):
        begin, end = int(bounds[reader]) - reach, int(bounds[reader + 1]) + reach
        if problem.boundary != "periodic" or end - begin >= extent:
            spans = [(max(begin, 0), min(end, extent))]
            if problem.boundary == "periodic":
                spans = [(0, extent)]
        else:
            spans = [(max(begin, 0), min(end, extent)), (begin + extent, extent), (0, end - extent)]
        for first, last in spans:
            if first >= last:
                continue
            low, high = int(np.searchsorted(bounds, first, "right")) - 1, int(np.searchsorted(bounds, last, "left"))
            rows += [
                (reader, owner, max(first, int(bounds[owner])), min(last, int(bounds[owner + 1])))
                for owner in range(low, high)
            ]
    return np.array(rows, dtype=np.int64)


def lower_stencil(builder: Builder, op: Op, plan: StencilPlan) -> None:
    """Append the supersteps of a stencil to the program."""
    problem, grid = plan.problem, build_stencil_grid(plan)
    shape = (problem.extent[0], problem.extent[1], problem.extent[2] * problem.channels)
    source = bring(builder, op.name, op.inputs[0], shape, grid.home)
    name = op.outputs[0]
    size = (len(grid.tile), 1, int(grid.padded.prod(axis=1).max()))

    def buffer() -> Variable:
        return builder.add_variable(f"{name}.buffer", shape, source.dtype, "temporary", grid.home)

    def application(number: str, before: Variable, after: Variable) -> tuple[Superstep, ...]:
        padded = builder.add_variable(f"{name}.padded", size, source.dtype, "partials", None)
        return _application(f"{op.name}/{number}", op.name, plan, grid, (before, padded, after))

    inner = problem.repeat - 2
    if inner >= 0:
        first = buffer()
        builder.steps += application("first", source, first)
        source = first
    if inner > 0:
        other = buffer()
        there, back = application("there", source, other), application("back", other, source)
        if inner > 1:
            builder.steps.append(Repeat(inner // 2, (*there, *back)))
        if inner % 2:
            builder.steps += application("there", source, other)
            source = other
    result = builder.place_tensor(name, shape, grid.home)
    builder.steps += application("last" if inner >= 0 else "once", source, result)


def _application(
    name: str, op: str, plan: StencilPlan, grid: StencilGrid, variables: tuple[Variable, Variable, Variable]
) -> tuple[Superstep, ...]:
    """Return the supersteps of one application: halo, copy, stencil and copy back."""
    problem = plan.problem
    source, padded, target = variables
    pieces = whole_boxes(grid.piece)
    reader = np.repeat(grid.tile, np.diff(grid.segments))
    away = np.flatnonzero(grid.source != reader)
    steps: list[Superstep] = []
    if len(away):
        halo = Transfers(
            variable=source.name,
            label="halo",
            source=grid.source[away],
            regions=pieces.take(away),
            group=np.arange(len(away), dtype=np.int32),
            group_indptr=np.arange(len(away) + 1, dtype=np.int64),
            group_tiles=reader[away],
        )
        steps.append(Superstep(f"{name}/halo", op, exchange=(halo,)))
    sizes = grid.padded.prod(axis=1)
    zero = np.zeros_like(sizes)
    block = np.stack([grid.tile, grid.tile + 1, zero, zero + 1, zero, sizes], axis=1).astype(np.int64)
    read = Operand(source.name, "in", pieces, grid.segments)
    before = _copies("pre-copy", grid, grid.padded, source, (read, Operand(padded.name, "out", whole_boxes(block))))
    steps.append(Superstep(f"{name}/pre-copy", op, (before,)))
    extents = grid.box[:, 1::2] - grid.box[:, ::2]
    vertices = VertexSet(
        "stencil",
        "stencil",
        grid.tile,
        {"lines": extents[:, 0] * extents[:, 1], "columns": extents[:, 2] // problem.channels},
        (
            read,
            Operand(padded.name, "in", whole_boxes(block)),
            Operand(target.name, "out", whole_boxes(grid.box)),
        ),
        {
            "dtype": target.dtype,
            "taps": len(problem.coefficients),
            "factors": problem.factors,
            "channels": problem.channels,
            "vector": problem.vector,
        },
        problem,
    )
    after = _copies("post-copy", grid, extents, source, ())
    steps.append(Superstep(f"{name}/stencil", op, (vertices, after)))
    return tuple(steps)


def _copies(
    label: str, grid: StencilGrid, extents: IntArray, source: Variable, operands: tuple[Operand, ...]
) -> VertexSet:
    """Return copies of blocks of so many planes, rows and columns."""
    fields = {"n_bytes": extents.prod(axis=1) * source.element_bytes, "rows": extents[:, 0] * extents[:, 1]}
    return VertexSet("copy_rows", label, grid.tile, fields, operands)
