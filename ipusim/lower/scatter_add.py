"""Lowering of a scatter plan: the table in its parts, updates and indices to all that need them, and their sums."""

from __future__ import annotations

import numpy as np

from ipusim.ir.program import Home, Operand, Superstep, Variable, VertexSet
from ipusim.ir.regions import NO_STEP, IntArray, volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.broadcast import operand_transfers, variable_runs
from ipusim.lower.builder import Builder
from ipusim.lower.gather import placed_indices
from ipusim.lower.operands import bring
from ipusim.lower.reduction import Blocks, build_stage, next_shares, unreduced
from ipusim.lower.table_grid import TableGrid, build_table_grid, updates_home, updates_multicast
from ipusim.plan.table_split import TablePlan


def lower_scatter_add(builder: Builder, op: Op, plan: TablePlan) -> None:
    """Append the supersteps of a scatter to the program."""
    grid, problem = build_table_grid(plan.problem, plan.split), plan.problem
    shape = (problem.outer, problem.dictionary, problem.inner)
    box = grid.table_boxes()
    first = np.flatnonzero(grid.part[0] == 0)
    table = bring(builder, op.name, op.inputs[0], shape, Home(grid.tile[first], whole_boxes(box[first])))
    wanted = (problem.outer, problem.lookups, problem.inner)
    updates = bring(builder, op.name, op.inputs[1], wanted, updates_home(grid))
    indices = placed_indices(builder, op, op.inputs[2])
    needed = variable_runs(indices, grid.lookups[:, 0], grid.lookups[:, 1])
    exchange = operand_transfers(builder, indices, grid.tile, needed)
    if plan.split.dictionary > 1:
        exchange.append(updates_multicast(grid, updates))
    summed = plan.split.lookups > 1
    if summed:
        box = box.copy()
        box[:, :2] += (grid.part[0] * problem.outer)[:, None]
        copies = (plan.split.lookups * problem.outer, problem.dictionary, problem.inner)
        target = builder.add_variable(f"{op.outputs[0]}.partials", copies, "float32", "partials", None)
    else:
        target = builder.place_tensor(op.outputs[0], shape, Home(grid.tile, whole_boxes(box)))
    start = _start(grid, table, target, box)
    builder.steps.append(Superstep(f"{op.name}/copy", op.name, start, tuple(exchange)))
    lookups = grid.lookups[:, 1] - grid.lookups[:, 0]
    found = -(-lookups // plan.split.dictionary)
    part = np.concatenate([grid.outer, grid.lookups, grid.inner], axis=1)
    update = VertexSet(
        codelet="multi_update_add",
        label="update",
        tile=grid.tile,
        fields={
            "in_range": found,
            "out_of_range": lookups - found,
            "row_elements": volume(part) // np.maximum(lookups, 1),
        },
        operands=(
            Operand(updates.name, "in", whole_boxes(part)),
            Operand(indices.name, "in", needed),
            Operand(target.name, "inout", whole_boxes(box)),
        ),
        settings={"element_bytes": target.element_bytes, "dtype": target.dtype},
    )
    if not summed:
        builder.steps.append(Superstep(f"{op.name}/update", op.name, (update,)))
        return
    _add_up(builder, op, grid, target, update)


def _start(grid: TableGrid, table: Variable, target: Variable, box: IntArray) -> tuple[VertexSet, ...]:
    """Return the vertices that copy each part of the table once, and fill its other sums with zeros."""
    first = np.flatnonzero(grid.part[0] == 0)
    rest = np.flatnonzero(grid.part[0] > 0)
    source, copies = whole_boxes(grid.table_boxes()[first]), whole_boxes(box[first])
    settings = {"input": table.dtype, "output": target.dtype, "dtype": target.dtype}
    operands = (Operand(table.name, "in", source), Operand(target.name, "out", copies))
    copy = VertexSet("cast_1d", "copy", grid.tile[first], {"elements": source.n_elements}, operands, settings)
    if not len(rest):
        return (copy,)
    zeros = whole_boxes(box[rest])
    target_only = (Operand(target.name, "out", zeros),)
    fill = VertexSet(
        "fill_1d", "fill", grid.tile[rest], {"elements": zeros.n_elements}, target_only, {"dtype": target.dtype}
    )
    return copy, fill


def _add_up(builder: Builder, op: Op, grid: TableGrid, source: Variable, update: VertexSet) -> None:
    """Append the updates and the addition of the sums of all tiles with the same part of the table."""
    depth, problem = grid.split.lookups, grid.problem
    tiles = np.ascontiguousarray(grid.tile.reshape(depth, -1).T)
    blocks = Blocks(tiles, grid.table_boxes()[tiles[:, 0]], problem.outer, NO_STEP, 1)
    shares = unreduced(depth)
    begin, end = next_shares(shares, 1).run(blocks.elements)
    block, member = np.nonzero(end > begin)
    none = np.zeros(len(block), dtype=np.int64)
    regions = blocks.regions(block, none, begin[block, member], end[block, member])
    home = Home(np.ascontiguousarray(blocks.tile[block, member]), regions)
    result = builder.place_tensor(op.outputs[0], (problem.outer, problem.dictionary, problem.inner), home)
    settings: dict[str, object] = {"partials": source.dtype, "output": result.dtype}
    stage = build_stage(blocks, shares, 1, source, result, settings, builder.sharing)
    builder.steps.append(Superstep(f"{op.name}/update", op.name, (update,), (stage.exchange,)))
    builder.steps.append(Superstep(f"{op.name}/reduce", op.name, (stage.vertices,)))
