"""Lowering of a gather plan: indices to all tiles that need them, copies of rows, and the choice among the parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.codelets.multi_slice import INDEX_BYTES
from ipusim.ir.program import Home, Operand, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, matrix_view, volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.broadcast import operand_transfers, variable_runs
from ipusim.lower.builder import Builder
from ipusim.lower.homes import linear_home
from ipusim.lower.operands import bring
from ipusim.lower.table_grid import TableGrid, build_table_grid, even_cut, table_home, table_multicast
from ipusim.plan.table_split import TablePlan


@dataclass(frozen=True, slots=True)
class GatherWork:
    """What the vertices of a gather do.

    Attributes
    ----------
    edges : int64 array [parts + 1]
        Rows of the dictionary at which it is cut.
    selects : bool
        They pick among the copies of all parts, rather than make one of their own part.
    """

    edges: IntArray
    selects: bool


def lower_gather(builder: Builder, op: Op, plan: TablePlan) -> None:
    """Append the supersteps of a gather to the program."""
    grid, problem = build_table_grid(plan.problem, plan.split), plan.problem
    table = bring(builder, op.name, op.inputs[0], (problem.outer, problem.dictionary, problem.inner), table_home(grid))
    indices = placed_indices(builder, op, op.inputs[1])
    needed = variable_runs(indices, grid.lookups[:, 0], grid.lookups[:, 1])
    exchange = operand_transfers(builder, indices, grid.tile, needed)
    if plan.split.lookups > 1:
        exchange.append(table_multicast(grid, table))
    if exchange:
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=tuple(exchange)))
    shape = (problem.outer, problem.lookups, problem.inner)
    edges = even_cut(problem.dictionary, np.arange(plan.split.dictionary, dtype=np.int64), plan.split.dictionary)
    work = GatherWork(np.append(edges[:, 0], problem.dictionary), False)
    box = np.concatenate([grid.outer, grid.lookups, grid.inner], axis=1)
    cut = plan.split.dictionary > 1
    if cut:
        box[:, :2] += (grid.part[3] * problem.outer)[:, None]
        copies = (plan.split.dictionary * problem.outer, problem.lookups, problem.inner)
        target = builder.add_variable(f"{op.outputs[0]}.candidates", copies, table.dtype, "partials", None)
    else:
        target = builder.place_tensor(op.outputs[0], shape, Home(grid.tile, whole_boxes(box)))
    found = -(-(box[:, 3] - box[:, 2]) // plan.split.dictionary)
    operands = (
        Operand(table.name, "in", whole_boxes(grid.table_boxes())),
        Operand(indices.name, "in", needed),
        Operand(target.name, "out", whole_boxes(box)),
    )
    slices = _vertices(grid.tile, box, found, operands, table, work, "slice")
    send = (_candidates(grid, target),) if cut else ()
    builder.steps.append(Superstep(f"{op.name}/slice", op.name, (slices,), send))
    if cut:
        _select(builder, op, grid, table, indices, target)


def placed_indices(builder: Builder, op: Op, name: str) -> Variable:
    """Return the variable that holds indices: where they are, or evenly over the tiles if they have no place yet."""
    placed = builder.placed(name)
    if placed is not None:
        return placed
    view = matrix_view(builder.graph.tensors[name].shape)
    return bring(builder, op.name, name, view, linear_home(view, INDEX_BYTES, builder.chip.n_tiles))


def _candidates(grid: TableGrid, target: Variable) -> Transfers:
    """Return the exchange that brings a tile, for the indices whose results it makes, the copies of all other parts."""
    parts, problem = grid.split.dictionary, grid.problem
    own = grid.own_lookups()
    receiver = np.repeat(np.arange(len(grid.tile)), parts)
    part = np.tile(np.arange(parts, dtype=np.int64), len(grid.tile))
    chosen = np.flatnonzero((part != grid.part[3][receiver]) & (own[receiver, 1] > own[receiver, 0]))
    receiver, part = receiver[chosen], part[chosen]
    return Transfers(
        variable=target.name,
        label="partials",
        source=grid.tile[receiver - grid.part[3][receiver] + part],
        regions=whole_boxes(_copies(grid, own, receiver, part * problem.outer)),
        group=np.arange(len(chosen), dtype=np.int32),
        group_indptr=np.arange(len(chosen) + 1, dtype=np.int64),
        group_tiles=grid.tile[receiver],
    )


def _copies(grid: TableGrid, own: IntArray, member: IntArray, offset: IntArray) -> IntArray:
    """Return the boxes of the candidates of some tiles' indices: int64 array [n, 6]."""
    return np.concatenate([grid.outer[member] + offset[:, None], own[member], grid.inner[member]], axis=1)


def _select(builder: Builder, op: Op, grid: TableGrid, table: Variable, indices: Variable, source: Variable) -> None:
    problem, parts = grid.problem, grid.split.dictionary
    own = grid.own_lookups()
    member = np.flatnonzero(own[:, 1] > own[:, 0])
    tile = grid.tile[member]
    box = np.concatenate([grid.outer, own, grid.inner], axis=1)[member]
    shape = (problem.outer, problem.lookups, problem.inner)
    result = builder.place_tensor(op.outputs[0], shape, Home(tile, whole_boxes(box)))
    every = np.repeat(member, parts)
    part = np.tile(np.arange(parts, dtype=np.int64), len(member))
    copies = whole_boxes(_copies(grid, own, every, part * problem.outer))
    edges = even_cut(problem.dictionary, np.arange(parts, dtype=np.int64), parts)
    operands = (
        Operand(source.name, "in", copies, np.arange(0, len(every) + 1, parts, dtype=np.int64)),
        Operand(indices.name, "in", variable_runs(indices, own[member, 0], own[member, 1])),
        Operand(result.name, "out", whole_boxes(box)),
    )
    work = GatherWork(np.append(edges[:, 0], problem.dictionary), True)
    found = box[:, 3] - box[:, 2]
    vertices = _vertices(tile, box, found, operands, table, work, "select")
    builder.steps.append(Superstep(f"{op.name}/select", op.name, (vertices,)))


def _vertices(
    tile: TileArray,
    box: IntArray,
    found: IntArray,
    operands: tuple[Operand, ...],
    table: Variable,
    work: GatherWork,
    label: str,
) -> VertexSet:
    lookups = box[:, 3] - box[:, 2]
    return VertexSet(
        codelet="multi_slice",
        label=label,
        tile=tile,
        fields={
            "in_range": found,
            "out_of_range": lookups - found,
            "row_elements": volume(box) // np.maximum(lookups, 1),
        },
        operands=operands,
        settings={"element_bytes": table.element_bytes},
        payload=work,
    )
