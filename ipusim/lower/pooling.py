"""Lowering of a pooling plan: the halo of every tile's input, then its windows."""

from __future__ import annotations

import numpy as np

from ipusim.formats import number_format
from ipusim.ir.program import Home, Operand, Superstep, VertexSet
from ipusim.ir.regions import volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.conv_grid import build_conv_grid
from ipusim.lower.conv_inputs import input_boxes, input_cells, input_transfers
from ipusim.lower.operands import bring
from ipusim.plan.pool import PoolPlan


def lower_pooling(builder: Builder, op: Op, plan: PoolPlan) -> None:
    """Append the supersteps of a pooling op to the program."""
    grid, problem = build_conv_grid(plan), plan.problem
    cells = input_cells(grid, problem, number_format(problem.inputs_format).bytes)
    inputs = bring(builder, op.name, op.inputs[0], grid.x.shape, cells.home)
    move = input_transfers(cells, inputs)
    if len(move.source):
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=(move,)))
    block = grid.y.boxes(grid.images, grid.channels(grid.outer, 1), grid.rows, grid.cols)
    result = builder.place_tensor(op.outputs[0], grid.y.shape, Home(grid.tile, whole_boxes(block)))
    outputs = volume(block)
    vertices = VertexSet(
        codelet="pool",
        label="pool",
        tile=grid.tile,
        fields={
            "outputs": outputs,
            "kernel_h": np.full_like(outputs, problem.kernel[0]),
            "kernel_w": np.full_like(outputs, problem.kernel[1]),
        },
        operands=(
            Operand(inputs.name, "in", whole_boxes(input_boxes(grid, problem))),
            Operand(result.name, "out", whole_boxes(block)),
        ),
        settings={"op": "max" if plan.largest else "avg", "dtype": result.dtype},
        payload=plan,
    )
    builder.steps.append(Superstep(f"{op.name}/pool", op.name, (vertices,)))
