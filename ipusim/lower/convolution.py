"""Lowering of a convolution plan: operands to the tiles, multiplying vertices, reduction of the partial sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.formats import number_format
from ipusim.ir.program import Operand, Superstep, VertexSet
from ipusim.ir.regions import IntArray, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.conv_grid import ConvGrid, build_conv_grid
from ipusim.lower.conv_inputs import input_boxes, input_cells, input_transfers
from ipusim.lower.conv_result import ConvResult
from ipusim.lower.grid import Pairs, dense_index
from ipusim.lower.matmul_operands import Side, multicast, shared_home
from ipusim.lower.operands import bring
from ipusim.plan.conv import ConvPlan
from ipusim.plan.conv_estimate import AMP_1X1, AMP_NX1, VERTICES, VMAC


@dataclass(frozen=True, slots=True)
class ConvWork:
    """What the multiplying vertices of a convolution compute; only their kernel reads it.

    Attributes
    ----------
    plan : ConvPlan
    grid : ConvGrid
        With a block for each vertex.
    """

    plan: ConvPlan
    grid: ConvGrid


def lower_convolution(builder: Builder, op: Op, plan: ConvPlan) -> None:
    """Append the supersteps of a convolution to the program."""
    grid, problem = build_conv_grid(plan), plan.problem
    cells = input_cells(grid, problem, number_format(problem.inputs_format).bytes)
    inputs = bring(builder, op.name, op.inputs[0], grid.x.shape, cells.home)
    side = _weights(grid, op, plan)
    weights = bring(builder, op.name, side.tensor, side.shape, shared_home(grid, side))
    moves = tuple(move for move in (input_transfers(cells, inputs), multicast(grid, side, weights)) if len(move.source))
    result = ConvResult(builder, op, plan, grid)
    if moves:
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=moves))
    fields, settings = _vertex(plan, grid)
    multiply = VertexSet(
        codelet=VERTICES[plan.variant.vertex],
        label="amp",
        tile=grid.tile,
        fields=fields,
        operands=(
            Operand(inputs.name, "in", whole_boxes(input_boxes(grid, problem))),
            Operand(weights.name, "in", whole_boxes(side.block)),
            Operand(result.sums.name, "out", result.regions()),
        ),
        settings=settings,
        payload=ConvWork(plan, grid),
    )
    builder.steps.extend(result.supersteps(multiply))


def _weights(grid: ConvGrid, op: Op, plan: ConvPlan) -> Side:
    """Return the weights ``[out, in / groups, kernel]``, each block shared out among the tiles that need it."""
    problem = plan.problem
    out = grid.channels(grid.outer, problem.out_channels)
    block = np.ascontiguousarray(np.concatenate([out, grid.inner, grid.kernel * problem.kernel[1]], axis=1))
    _, g, _, _, k, i, j = grid.coordinates
    return Side(
        tensor=op.inputs[1],
        label="weights",
        shape=(problem.groups * problem.out_channels, problem.in_channels, problem.kernel[0] * problem.kernel[1]),
        block=block,
        group=dense_index(g, k, i, j),
        step=(0, 0, 0),
        count=1,
    )


def _extent(pairs: Pairs) -> IntArray:
    extent: IntArray = pairs[:, 1] - pairs[:, 0]
    return extent


def _vertex(plan: ConvPlan, grid: ConvGrid) -> tuple[dict[str, IntArray], dict[str, object]]:
    """Return the fields and settings that the cycle formula of the plan's codelet needs."""
    variant, problem = plan.variant, plan.problem
    lines, width = _extent(grid.images) * _extent(grid.rows), _extent(grid.cols)
    fields = {
        "conv_groups": _extent(grid.groups),
        "in_groups": -(-_extent(grid.inner) // variant.in_channels),
        "out_groups": -(-_extent(grid.outer) // variant.out_channels),
    }
    settings: dict[str, object] = {
        "inputs": problem.inputs_format,
        "partials": problem.partials_format,
        "in_channels": variant.in_channels,
        "out_channels": variant.out_channels,
    }
    if variant.vertex in (AMP_1X1, AMP_NX1):
        settings |= {"units": variant.units, "passes": ceil_div(variant.out_channels, variant.units)}
    if variant.vertex == AMP_1X1:
        return {"rows": lines * width, **fields}, settings
    if variant.vertex == AMP_NX1:
        settings["filter_height"] = plan.unit_channels // variant.in_channels
    kernel_h, kernel_w = _extent(grid.kernel), np.full_like(lines, problem.kernel[1])
    first, rest = (kernel_h, kernel_w) if problem.rank == 2 else (kernel_w, kernel_h)
    if variant.vertex == VMAC:
        settings["conv_groups_per_group"] = variant.side
        fields = {"elements": lines * width, "conv_groups": -(-_extent(grid.groups) // variant.side)}
        return {**fields, "kernel_first": first, "kernel_rest": rest}, settings
    return {"lines": lines, "width": width, **fields, "kernel_first": first, "kernel_rest": rest}, settings
