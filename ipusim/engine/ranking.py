"""Execution of the vertices that find the largest elements of rows."""

from __future__ import annotations

import numpy as np

from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.ir.program import VertexSet
from ipusim.kernels.workers import Done, Workers
from ipusim.lower.top_k import RankWork
from ipusim.ops.top_k import ranked


def heap_top_k(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Write the largest elements of the rows of every tile, their indices, or both, in order."""
    work = vertices.payload
    assert isinstance(work, RankWork)
    workers.do(lambda _workers: _rank(work, len(vertices.tile), operands))
    done(1.0)


def _rank(work: RankWork, n_vertices: int, operands: tuple[Bound, ...]) -> None:
    sources, targets = operands[: 1 + work.merges], operands[1 + work.merges :]
    for vertex in range(n_vertices):
        g0, g1, r0, r1, c0, c1 = sources[0].regions.box[vertex]
        x = sources[0].values[g0:g1, r0:r1, c0:c1]
        place = ranked(x, work.kept, 1, work.smallest)
        for target, what in zip(targets, work.results, strict=True):
            if what == "values":
                found = np.take_along_axis(x, place, axis=1)
            elif work.merges:
                found = np.take_along_axis(sources[1].values[g0:g1, r0:r1, c0:c1], place, axis=1)
            else:
                found = place + r0
            g0, g1, k0, k1, c0, c1 = target.regions.box[vertex]
            target.values[g0:g1, k0:k1, c0:c1] = found
