"""Execution and check of stencils."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.bounds import Comparison
from ipusim.engine.check_conv import Formats, Spread
from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.formats import Format, number_format
from ipusim.ir.program import VertexSet
from ipusim.kernels.stencil import stencil_boxes
from ipusim.kernels.workers import Done, Workers
from ipusim.ops.stencil import applied
from ipusim.plan.stencil import StencilProblem

F32Array = NDArray[np.float32]
F64Array = NDArray[np.float64]

_ROUNDOFF = 2.0**-24
_PATCH = 8
"""Elements along each axis of a part that is compared where the whole would take too long."""
_MOST_PARTS = 64


def apply(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Execute one application of a stencil, each vertex on its block; what it pads lies in the operand's storage."""
    x, _, y = operands
    problem = vertices.payload
    assert isinstance(problem, StencilProblem)
    task = partial(
        stencil_boxes,
        x.values,
        y.values,
        y.regions.box,
        np.array([each[:3] for each in problem.coefficients], dtype=np.int64).reshape(-1, 3),
        np.array([each[3] for each in problem.coefficients], dtype=np.float32),
        problem.channels,
        problem.boundary == "periodic",
        np.float32(problem.value if problem.boundary == "constant" else 0.0),
        y.half,
    )
    workers.run(task, len(y.regions), done)
    y.settle(workers)


def compare_stencil(
    problem: StencilProblem, x: F32Array, y: F32Array, spread: Spread, most: int, formats: Formats = number_format
) -> Comparison:
    """Compare an executed stencil with its applications in float64: all of it, or parts with all that goes into them.

    A part is a few elements of one channel.

    Parameters
    ----------
    problem : StencilProblem
    x, y : float32 arrays
        Operand and result, of any shape with the right number of elements.
    spread : callable
        Chooses places.
    most : int
        Most multiply-adds that are repeated.
    formats : callable
        Returns a number format by name, as it is rounded.
    """
    output = formats(problem.dtype)
    shape = (*problem.extent, problem.channels)
    x, y = x.reshape(shape), y.reshape(shape)
    work = x.size * len(problem.coefficients) * problem.repeat
    if work <= most:
        return _compare(problem, output, x, y, ((0, problem.extent[0]), (0, problem.extent[1]), (0, problem.extent[2])))
    cone = [
        min(_PATCH + 2 * reach * problem.repeat, extent)
        for reach, extent in zip(problem.radius, problem.extent, strict=True)
    ]
    per_part = prod(cone) * len(problem.coefficients) * problem.repeat
    parts = [-(-extent // _PATCH) for extent in problem.extent]
    found = []
    for part in spread(prod(parts), min(_MOST_PARTS, max(1, most // per_part))):
        at = np.unravel_index(int(part), parts)
        begin = [int(index) * _PATCH for index in at]
        ranges = [(first, min(first + _PATCH, extent)) for first, extent in zip(begin, problem.extent, strict=True)]
        channel = slice(int(part) % problem.channels, int(part) % problem.channels + 1)
        found.append(_compare(problem, output, x[..., channel], y[..., channel], (ranges[0], ranges[1], ranges[2])))
    value, reference, tolerance = (
        np.concatenate([getattr(each, field) for each in found]) for field in ("value", "reference", "tolerance")
    )
    return Comparison(value, reference, tolerance)


def _compare(
    problem: StencilProblem, output: Format, x: F32Array, y: F32Array, ranges: tuple[tuple[int, int], ...]
) -> Comparison:
    """Compare a range of the grid.

    Notes
    -----
    Each application errs by what the errors before it come to, by a rounding in float32 for each product and each sum,
    and by one of the result: an element that is the sum of `k` products errs by at most ``(k + 2) u`` times the sum of
    their magnitudes. What lies at a cut edge is wrong and grows by the radius per application, so that it does not
    reach the range.
    """
    taken, inside, boundary = [], [], problem.boundary
    for axis, (first, last) in enumerate(ranges):
        reach, extent = problem.radius[axis] * problem.repeat, problem.extent[axis]
        begin, end = first - reach, last + reach
        if end - begin >= extent:
            begin, end = 0, extent
        elif problem.boundary == "periodic":
            boundary = "zero"
        else:
            begin, end = max(begin, 0), min(end, extent)
        taken.append(np.arange(begin, end) % extent)
        inside.append(slice(first - begin, last - begin))
    if boundary != problem.boundary:
        # an axis that is taken whole is made to wrap by its own copies
        for axis, index in enumerate(taken):
            extent, reach = problem.extent[axis], problem.radius[axis] * problem.repeat
            if len(index) == extent and reach:
                taken[axis] = np.arange(-reach, extent + reach) % extent
                inside[axis] = slice(inside[axis].start + reach, inside[axis].stop + reach)
    part = x[np.ix_(*taken)].astype(np.float64)
    reference, error = _run(problem, output, part, boundary)
    where = tuple(inside)
    value = y[tuple(slice(*each) for each in ranges)].astype(np.float64)
    exact, tolerance = reference[where], error[where]
    tolerance = np.where(np.abs(exact) + tolerance < output.max, tolerance, np.inf)
    return Comparison(value.ravel(), exact.ravel(), tolerance.ravel())


def _run(problem: StencilProblem, output: Format, x: F64Array, boundary: str) -> tuple[F64Array, F64Array]:
    """Return all applications in float64, and a bound of what the executed ones differ by."""
    block = np.zeros([2 * reach + 1 for reach in problem.radius])
    for i, j, k, factor in problem.coefficients:
        block[i + problem.radius[0], j + problem.radius[1], k + problem.radius[2]] = factor
    unit = (len(problem.coefficients) + 2) * _ROUNDOFF
    error = np.zeros_like(x)
    with np.errstate(all="ignore"):
        for _ in range(problem.repeat):
            size = applied(np.abs(x) + error, np.abs(block), boundary, abs(problem.value))
            error = applied(error, np.abs(block), boundary, 0.0) + unit * size
            x = applied(x, block, boundary, problem.value)
            error = error + output.unit_roundoff * (np.abs(x) + error) + output.smallest_subnormal / 2
    return x, error
