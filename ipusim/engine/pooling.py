"""Execution and check of pooling operators."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.bounds import Comparison, compare_sum
from ipusim.engine.check_conv import Formats, Spread
from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.formats import number_format
from ipusim.ir.program import VertexSet
from ipusim.kernels.pooling import pool_boxes
from ipusim.kernels.workers import Done, Workers
from ipusim.plan.pool import PoolPlan

F32Array = NDArray[np.float32]


def pool(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Execute the vertices of a pooling op, each on the part of the input that its tile holds."""
    x, y = operands
    plan = vertices.payload
    assert isinstance(plan, PoolPlan)
    window = np.array([*plan.problem.kernel, *plan.problem.stride, *plan.problem.before], dtype=np.int64)
    task = partial(
        pool_boxes,
        x.values,
        x.regions.box,
        y.values,
        y.regions.box,
        window,
        plan.largest,
        plan.include_padding,
        y.half,
    )
    workers.run(task, len(y.regions), done)
    y.settle(workers)


def compare_pool(
    plan: PoolPlan, x: F32Array, y: F32Array, spread: Spread, most: int, formats: Formats = number_format
) -> Comparison:
    """Compare at most `most` elements of an executed result with their windows in float64."""
    problem = plan.problem
    (height, width), (kernel_h, kernel_w) = problem.field_in, problem.kernel
    x = x.reshape(problem.groups, height, width)
    at = spread(y.size, most)
    channel, row, col = np.unravel_index(at, (problem.groups, *problem.field_out))
    ky, kx = (axis.ravel()[:, None] for axis in np.indices((kernel_h, kernel_w)))
    rows = row * problem.stride[0] - problem.before[0] + ky
    cols = col * problem.stride[1] - problem.before[1] + kx
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    found = x[channel, np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)].astype(np.float64)
    value = y.reshape(-1)[at].astype(np.float64)
    output = formats(problem.output_format)
    if plan.largest:
        reference = np.where(inside, found, -np.inf).max(axis=0)
        return compare_sum(reference, np.abs(reference), 0, value, output)
    counts = kernel_h * kernel_w if plan.include_padding else inside.sum(axis=0)
    found = np.where(inside, found, 0.0)
    return compare_sum(found.sum(axis=0) / counts, np.abs(found).sum(axis=0) / counts, len(ky), value, output)
