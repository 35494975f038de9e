"""Who sends what is collected from the home of a variable: the pieces against the places of their elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.intervals import flat_runs
from ipusim.ir.program import Home, Program, Transfers, Variable
from ipusim.ir.regions import IntArray, Regions

FloatArray = NDArray[np.float64]
Shape = tuple[int, int, int]

MOST_RUNS = 4_000_000
"""Of collections with more runs of elements than this, senders are not looked up."""
_SLICE = 1 << 18
"""Runs that are worked on at once, which bounds the memory that it takes."""
_CLOSE = 0.01
"""How far counted bytes may be from stated ones, as a share of them; beyond it they are told by proportion."""


class Places:
    """The groups of tiles on which the elements of variables lie.

    Parameters
    ----------
    program : Program
    size : int
        Tiles of a group.
    """

    def __init__(self, program: Program, size: int) -> None:
        self._program, self._size = program, size
        self._n_groups = -(-program.n_tiles // size)
        self._shapes = {
            (variable.storage, id(variable.home.regions)): variable.shape
            for variable in program.variables.values()
            if variable.home is not None
        }
        self._known: dict[tuple[int, int, Shape], tuple[IntArray, IntArray]] = {}

    def matrix(self, transfers: Transfers) -> tuple[FloatArray, float] | None:
        """Return the bytes between groups of tiles, and how many of them are told by proportion.

        Elements come from where they lie. Where a transfer states other bytes than its pieces have (a tile may have
        some of them already), the bytes of each receiving group are divided among the senders of its pieces.

        Returns
        -------
        tuple or None
            A row per sending, a column per receiving group; None where the pieces do not tell who sends.
        """
        variable = self._program.variables[transfers.variable]
        if variable.home is None or transfers.origins or transfers.bytes_received is None:
            return None
        total = int(transfers.bytes_received.sum())
        n_bytes = int(transfers.regions.n_elements.sum()) * variable.element_bytes
        if abs(n_bytes - total) > _CLOSE * total:
            return None
        shape = self._shapes.get((variable.storage, id(transfers.regions)), variable.shape)
        regions, shape = _flattened(transfers.regions, shape)
        lines = int((1 + regions.n_elements // np.maximum(regions.box[:, 5] - regions.box[:, 4], 1)).sum())
        if regions.count * lines > MOST_RUNS or (np.diff(transfers.group_indptr) != 1).any():
            return None
        found = self._bytes(transfers, regions, variable, shape)
        starts = np.arange(0, self._program.n_tiles, self._size)
        stated: FloatArray = np.add.reduceat(transfers.bytes_received, starts).astype(np.float64)
        counted = found.sum(axis=0)
        if (counted[stated > 0] == 0).any():
            return None
        scale = np.where(counted > 0, stated / np.maximum(counted, 1e-300), 0.0)
        off = np.abs(scale - 1) > _CLOSE
        return found * scale, float(stated[off].sum())

    def _bytes(self, transfers: Transfers, pieces: Regions, variable: Variable, shape: Shape) -> FloatArray:
        assert variable.home is not None
        starts, groups = self._groups(variable.shape, variable.home)
        to = transfers.group_tiles[transfers.group_indptr[transfers.group]] // self._size
        found: FloatArray = np.zeros(self._n_groups**2)
        for regions in pieces.iterations():
            runs, piece = flat_runs(regions, shape)
            for low in range(0, len(piece), _SLICE):
                part = slice(low, low + _SLICE)
                begin, end = runs.start[part], runs.end[part]
                first = np.searchsorted(starts, begin, "right") - 1
                count = np.searchsorted(starts, end, "left") - first
                owner = np.repeat(np.arange(len(begin)), count)
                place = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
                held = np.minimum(end[owner], starts[place + 1]) - np.maximum(begin[owner], starts[place])
                pair = groups[place] * self._n_groups + to[piece[part]][owner]
                found += np.bincount(pair, weights=held, minlength=len(found))
        found *= variable.element_bytes / pieces.count
        return found.reshape(self._n_groups, -1)

    def _groups(self, shape: Shape, home: Home) -> tuple[IntArray, IntArray]:
        """Return where runs of elements in the same group start, with the end of the last, and the group of each."""
        key = id(home.regions), id(home.tile), shape
        if key not in self._known:
            every, shape = _flattened(home.regions, shape)
            pieces = [flat_runs(regions, shape) for regions in every.iterations()]
            start = np.concatenate([runs.start for runs, _ in pieces])
            group = np.concatenate([home.tile[owner] for _, owner in pieces]).astype(np.int64) // self._size
            order = np.argsort(start, kind="stable")
            start, group = start[order], group[order]
            opens = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
            self._known[key] = np.append(start[opens], np.iinfo(np.int64).max), group[opens]
        return self._known[key]


def _flattened(regions: Regions, shape: Shape) -> tuple[Regions, Shape]:
    """Return regions as those of fewer and longer lines, where all of them have whole rows: the same elements."""
    box, (groups, rows, cols) = regions.box, shape
    if regions.count > 1 or (box[:, 4] > 0).any() or (box[:, 5] != cols).any() or (box[:, 3] > rows).any():
        return regions, shape
    zero = np.zeros(len(box), dtype=np.int64)
    found = np.stack([zero, zero + 1, box[:, 0], box[:, 1], box[:, 2] * cols, box[:, 3] * cols], axis=1)
    flat = Regions(found, regions.begin, regions.end)
    if groups == 1 or (box[:, 2] > 0).any() or (box[:, 3] != rows).any():
        return flat, (1, groups, rows * cols)
    size = rows * cols
    whole = np.stack([zero, zero + 1, zero, zero + 1, box[:, 0] * size, box[:, 1] * size], axis=1)
    return Regions(whole, regions.begin, regions.end), (1, 1, groups * size)
