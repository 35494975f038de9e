"""Execution of the vertices that add rows to tables, and check of their sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.engine.bounds import Comparison
from ipusim.engine.check_conv import Formats
from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.formats import number_format, random_words, round_stochastic, round_to_format
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray
from ipusim.ir.tensor import Op, Tensor
from ipusim.kernels.workers import Done, Workers
from ipusim.ops.gather import table_extents
from ipusim.ops.registry import find_op

F32Array = NDArray[np.float32]


def fill(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Write zeros."""
    (out,) = operands
    workers.do(lambda _workers: _fill(out, len(vertices.tile)))
    done(1.0)


def _fill(out: Bound, n_vertices: int) -> None:
    for g0, g1, r0, r1, c0, c1 in out.regions.box[:n_vertices]:
        out.values[g0:g1, r0:r1, c0:c1] = 0.0


def multi_update_add(
    vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done
) -> None:
    """Add the rows that name one of a tile's, in the order of their indices, each sum rounded to its format."""
    workers.do(lambda _workers: _add_rows(len(vertices.tile), *operands))
    done(1.0)


def _add_rows(n_vertices: int, updates: Bound, indices: Bound, sums: Bound) -> None:
    whole = np.rint(indices.values.reshape(-1)).astype(np.int64)
    for vertex in range(n_vertices):
        g0, g1, _, _, c0, c1 = updates.regions.box[vertex]
        s0, s1, r0, r1, d0, d1 = sums.regions.box[vertex]
        first = int(indices.regions.begin[vertex])
        asked = whole[first : indices.regions.end[vertex]]
        named = np.flatnonzero((asked >= r0) & (asked < r1))
        turn = occurrence(asked[named])
        for number in range(int(turn.max(initial=-1)) + 1):
            now = named[turn == number]
            added = updates.values[g0:g1, first + now, c0:c1]
            before = sums.values[s0:s1, asked[now], d0:d1]
            sums.values[s0:s1, asked[now], d0:d1] = _rounded(before + added, sums, vertex, number)


def _rounded(total: F32Array, sums: Bound, *place: int) -> F32Array:
    """Return sums in their format; `place` tells the random bits of stochastic rounding from those of others."""
    if not sums.rounding.stochastic or sums.dtype == "float32":
        return round_to_format(total, sums.dtype)
    index = np.arange(total.size, dtype=np.uint32).reshape(total.shape)
    return round_stochastic(total, sums.dtype, random_words(sums.key(*place), index))


def occurrence(numbers: IntArray) -> IntArray:
    """Return for each number how often it comes before: int64 array [n]."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    start = np.searchsorted(ordered, ordered, side="left")
    turn = np.empty(len(numbers), dtype=np.int64)
    turn[order] = np.arange(len(numbers)) - start
    return turn


def compare_scatter(
    op: Op, arrays: tuple[F32Array, ...], value: F32Array, output: Tensor, formats: Formats = number_format
) -> Comparison:
    """Compare every element of a table to which rows were added.

    Each of the additions of an element errs by at most the unit roundoff of its format times the sum of the magnitudes,
    and so does the last rounding.
    """
    spec = find_op(op.kind)
    table, updates, indices = (array.astype(np.float64) for array in arrays)
    reference = spec.reference((table, updates, indices), op.attrs).reshape(-1)
    size = spec.reference((np.abs(table), np.abs(updates), indices), op.attrs).reshape(-1)
    _, extent, inner = table_extents(output, op.attrs)
    whole = np.rint(indices).astype(np.int64).reshape(-1)
    named = np.bincount(whole[(whole >= 0) & (whole < extent)], minlength=extent)
    additions = np.resize(np.repeat(named, inner), reference.size) + 2
    target = formats(output.dtype)
    growth = additions * target.unit_roundoff
    with np.errstate(all="ignore"):
        tolerance = np.where(growth < 1.0, growth / (1.0 - growth), np.inf) * size
        tolerance += additions * target.smallest_subnormal
        tolerance[size + tolerance >= target.max] = np.inf
    return Comparison(value.reshape(-1).astype(np.float64), reference, tolerance)
