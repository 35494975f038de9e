"""Compare an executed convolution with its float64 reference, as products of weights and windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.bounds import Comparison, F64Array, Summation, compare_product
from ipusim.engine.conv_depth import Depth, depth_of
from ipusim.formats import Format, number_format
from ipusim.lower.convolution import ConvWork
from ipusim.plan.conv_problem import ConvProblem

Index = NDArray[np.intp]
Spread = Callable[[int, int], Index]
Formats = Callable[[str], Format]
F32Array = NDArray[np.float32]


def compare_convolution(
    work: ConvWork,
    x: F32Array,
    w: F32Array,
    y: F32Array,
    spread: Spread,
    most_groups: int,
    most_products: int,
    formats: Formats = number_format,
    stochastic: bool = False,
) -> list[Comparison]:
    """Compare a convolution on a sample of its channel groups, output channels and places.

    Parameters
    ----------
    work : ConvWork
        Of the program.
    x, w, y : float32 arrays
        Operands and executed result, in the shapes of the graph.
    spread : function (extent, most) -> indices
        Chooses the sample.
    most_groups, most_products : int
        Channel groups, and multiply-adds of all of them together, that are repeated.
    formats : function (name) -> Format
        Number formats with the errors of their rounding.
    stochastic : bool
        Partial sums were rounded at random.
    """
    problem = work.plan.problem
    depth = depth_of(work)
    real = np.flatnonzero(depth.table[:, 0] >= 0)
    table = depth.table[real]
    bounds = (*(int(edge) for edge in np.searchsorted(real, depth.starts)),)
    summation = Summation(
        tuple(sorted(set(bounds))),
        depth.round_every,
        formats(problem.partials_format),
        most_roundings=_most_roundings(depth),
        stochastic=stochastic,
    )
    x = x.reshape(problem.batch, problem.groups, problem.in_channels, *problem.field_in)
    w = w.reshape(problem.groups, problem.out_channels, problem.in_channels, *problem.kernel)
    y = y.reshape(problem.batch, problem.groups, problem.out_channels, -1)
    places = problem.batch * y.shape[3]
    chosen = spread(problem.groups, most_groups)
    budget = max(1, most_products // (len(chosen) * max(1, len(table))))
    n_channels = max(int(budget**0.5), budget // max(1, places))
    comparisons = []
    for group in chosen:
        at_channels = spread(problem.out_channels, n_channels)
        at_places = spread(places, max(1, budget // len(at_channels)))
        a = w[group][at_channels][:, table[:, 0], table[:, 1], table[:, 2]].astype(np.float64)
        image, field = np.divmod(at_places, y.shape[3])
        b = _windows(problem, x[:, group], table, image, field)
        value = y[image, group, :, field][:, at_channels].T.astype(np.float64)
        with np.errstate(all="ignore"):
            comparisons.append(compare_product(a, b, value, summation, formats(problem.output_format)))
    return comparisons


def _most_roundings(depth: Depth) -> int:
    return int(-(-np.diff(depth.starts).max(initial=1) // depth.round_every))


def _windows(problem: ConvProblem, x: F32Array, table: NDArray[np.int64], image: Index, field: Index) -> F64Array:
    """Return the input elements of the products of some places: float64 array [products, places]."""
    rows, cols = np.divmod(field, problem.field_out[1])
    (height, width), stride = problem.field_in, problem.stride
    row = rows * stride[0] + table[:, 1, None] * problem.dilation[0] - problem.before[0]
    col = cols * stride[1] + table[:, 2, None] * problem.dilation[1] - problem.before[1]
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    found = x[image, table[:, 0, None], np.clip(row, 0, height - 1), np.clip(col, 0, width - 1)]
    windows: F64Array = np.where(inside, found, np.float32(0.0)).astype(np.float64)
    return windows
