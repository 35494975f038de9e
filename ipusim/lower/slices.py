"""Vertices that cut serial slices out of what a tile keeps, and put slices of the result back."""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import VertexSet
from ipusim.lower.grid import Grid
from ipusim.plan.dense import DensePlan


def operand_slices(plan: DensePlan, grid: Grid, arriving: Container[str] = ()) -> tuple[VertexSet, ...]:
    """Return the vertices that cut a serial slice out of the operands a tile keeps.

    The planner charges the weights in every loop, and the inputs too when the inner channels are sliced (dense
    reference, section 2.12). Those that are `arriving` slice by slice (``inputs``, ``weights``) are not cut.
    """
    split, product = plan.split, plan.product
    slices = split.s_inner * split.s_outer
    if slices == 1:
        return ()
    lengths = [] if "weights" in arriving else [product.groups * product.inner * product.outer]
    if split.s_inner > 1 and "inputs" not in arriving:
        lengths.append(product.groups * product.rows * product.inner)
    return tuple(
        slice_vertices(grid, ceil_div(ceil_div(length, plan.tiles_used), slices), "slice", plan.problem.inputs_format)
        for length in lengths
    )


def slice_vertices(grid: Grid, elements: int, label: str, dtype: str) -> VertexSet:
    """Return a vertex on every tile of the grid that copies so many elements of a slice."""
    ones = np.ones(len(grid), dtype=np.int64)
    return VertexSet(
        codelet="dynamic_slice_1d",
        label=label,
        tile=grid.tile,
        fields={"region_elements": ones * elements, "n_slices": ones},
        operands=(),
        settings={"dtype": dtype},
    )
