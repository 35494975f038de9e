"""Execution of the vertices that look up rows of tables."""

from __future__ import annotations

import numpy as np

from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray
from ipusim.kernels.workers import Done, Workers
from ipusim.lower.gather import GatherWork


def multi_slice(
    vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done
) -> None:
    """Copy the rows of the part of a table that a tile has, or pick among the copies of all parts.

    A row that no part has is zero.
    """
    work = vertices.payload
    assert isinstance(work, GatherWork)
    workers.do(lambda _workers: _gather(work, len(vertices.tile), *operands))
    done(1.0)


def _gather(work: GatherWork, n_vertices: int, source: Bound, indices: Bound, out: Bound) -> None:
    whole = np.rint(indices.values.reshape(-1)).astype(np.int64)
    bounds = source.segments
    for vertex in range(n_vertices):
        asked = whole[indices.regions.begin[vertex] : indices.regions.end[vertex]]
        g0, g1, r0, r1, c0, c1 = out.regions.box[vertex]
        if work.selects:
            assert bounds is not None
            result = _selected(source, int(bounds[vertex]), asked, work.edges)
        else:
            result = _sliced(source, vertex, asked)
        out.values[g0:g1, r0:r1, c0:c1] = result


def _sliced(table: Bound, vertex: int, asked: IntArray) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """Return the rows that indices name, zeros for those of other parts: float32 array [outer, lookups, inner]."""
    g0, g1, r0, r1, c0, c1 = table.regions.box[vertex]
    inside = (asked >= r0) & (asked < r1)
    rows = table.values[g0:g1, np.where(inside, asked, r0), c0:c1]
    rows[:, ~inside] = 0.0
    return rows


def _selected(
    copies: Bound, first: int, asked: IntArray, edges: IntArray
) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """Return for each index the copy of the part that has its row: float32 array [outer, lookups, inner]."""
    g0, g1, r0, _, c0, c1 = copies.regions.box[first]
    inside = (asked >= 0) & (asked < edges[-1])
    part = np.where(inside, np.searchsorted(edges, asked, side="right") - 1, 0)
    groups = copies.regions.box[first + part, 0][None, :] + np.arange(g1 - g0)[:, None]
    rows = copies.values[groups, (r0 + np.arange(len(asked)))[None, :], c0:c1]
    rows[:, ~inside] = 0.0
    return rows
