"""Lowering of a dense matmul plan: operands to the tiles, product vertices, reduction of the partial sums, result.

The supersteps of one serial slice: exchange the operands; multiply, then exchange the partial sums; add them up, in one
to three stages. A loop over serial slices repeats them, with slices of the operands and updates of the result.
"""

from __future__ import annotations

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import Operand, Repeat, Superstep, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.grid import Grid, build_grid
from ipusim.lower.matmul_operands import Side, multicast, product_sides, shared_home
from ipusim.lower.matmul_result import ProductResult
from ipusim.lower.operands import bring
from ipusim.lower.slices import operand_slices
from ipusim.plan.dense import DensePlan
from ipusim.plan.dense_estimate import AMP_1X1, AMP_NX1, OUTER_PRODUCT, VERTICES


def lower_matmul(builder: Builder, op: Op, plan: DensePlan) -> None:
    """Append the supersteps of a dense matmul to the program."""
    grid = build_grid(plan)
    split = plan.split
    sides = product_sides(builder, op, plan, grid)
    variables = [bring(builder, op.name, side.tensor, side.shape, shared_home(grid, side)) for side in sides]
    moves = [multicast(grid, side, variable) for side, variable in zip(sides, variables, strict=True)]
    before = (moves.pop(_streaming(sides)),) if split.broadcast else ()
    if any(len(move.source) for move in before):
        builder.steps.append(Superstep(f"{op.name}/broadcast", op.name, exchange=before))
    inside = tuple(move for move in moves if len(move.source))

    result = ProductResult(builder, op, plan, grid)
    body = [Superstep(f"{op.name}/operands", op.name, operand_slices(plan, grid), inside)]
    multiply = _product_vertices(plan, grid, op, sides, variables, result.partials, result.partial_regions())
    body.extend(result.reduce(multiply))
    body = [step for step in body if step.compute or step.exchange]
    slices = split.s_inner * split.s_outer
    if slices > 1:
        builder.steps.append(Repeat(slices, tuple(body)))
    else:
        builder.steps.extend(body)
    result.finish()


def _streaming(sides: tuple[Side, Side]) -> int:
    return 0 if sides[0].label == "inputs" else 1


def _product_vertices(
    plan: DensePlan,
    grid: Grid,
    op: Op,
    sides: tuple[Side, Side],
    variables: list[Variable],
    partials: Variable,
    regions: Regions,
) -> VertexSet:
    """Return the multiplying vertices: one on each tile, left and right block in, partial sums out."""
    variant, problem = plan.variant, plan.problem
    operands = tuple(
        Operand(variable.name, "in", whole_boxes(side.block, side.step, side.count))
        for side, variable in zip(sides, variables, strict=True)
    )
    fields, settings = _vertex(plan, grid)
    return VertexSet(
        codelet=VERTICES[variant.vertex],
        label="amp",
        tile=grid.tile,
        fields=fields,
        operands=(*operands, Operand(partials.name, "out", regions)),
        settings={
            "inputs": problem.inputs_format,
            "partials": problem.partials_format,
            "in_channels": variant.inner_channels,
            "transpose_left": bool(op.attrs.get("transpose_a", False)),
            "transpose_right": bool(op.attrs.get("transpose_b", False)),
            **settings,
        },
    )


def _vertex(plan: DensePlan, grid: Grid) -> tuple[dict[str, IntArray], dict[str, object]]:
    """Return the fields and settings that the cycle formula of the plan's codelet needs."""
    variant, problem = plan.variant, plan.problem
    rows = grid.rows[:, 1] - grid.rows[:, 0]
    groups = grid.groups[:, 1] - grid.groups[:, 0]
    out_groups = (grid.outer[:, 1] - grid.outer[:, 0]) // variant.outer_channels
    if variant.vertex == OUTER_PRODUCT:
        fields = {"width": rows, "channel_groups": out_groups * groups}
        return fields, {"dtype": problem.inputs_format, "channels": variant.outer_channels}
    fields = {
        "conv_groups": groups,
        "in_groups": (grid.inner[:, 1] - grid.inner[:, 0]) // variant.inner_channels,
        "out_groups": out_groups,
    }
    if variant.vertex == AMP_1X1:
        passes = ceil_div(variant.outer_channels, variant.units)
        return {"rows": rows, **fields}, {"units": variant.units, "passes": passes}
    ones = np.ones_like(rows)
    fields = {"lines": ones, "width": rows, **fields, "kernel_first": ones, "kernel_rest": ones}
    settings: dict[str, object] = {"out_channels": variant.outer_channels}
    if variant.vertex == AMP_NX1:
        settings |= {
            "units": variant.units,
            "passes": ceil_div(variant.outer_channels, variant.units),
            "filter_height": plan.unit_channels // variant.inner_channels,
        }
    return fields, settings
