"""Regions: which elements of a variable something touches, as a structure of arrays.

Every variable is seen as a stack of matrices ``[groups, rows, cols]``. A region is a box of that stack, or a run of the
box's elements in row-major order. One :class:`Regions` holds a region per vertex (or per transfer, or per home piece).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

NO_STEP = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Regions:
    """`n` regions of one variable.

    Attributes
    ----------
    box : int64 array [n, 6]
        ``g0, g1, r0, r1, c0, c1``: half-open bounds in groups, rows and columns. Bounds may stand past the variable's
        edge where the compiler pads to a grain; the part outside holds no data.
    begin, end : int64 array [n]
        Half-open range of the box's elements in row-major order; ``0, volume`` for the whole box.
    step : tuple of three int
        What is added to the ``(g, r, c)`` bounds for each further iteration.
    count : int
        Number of iterations the regions stand for. Inside a :class:`~ipusim.ir.program.Repeat` iteration ``i`` of the
        loop uses :meth:`at` ``(i)``; outside of a loop all `count` offsets are meant.
    ring : tuple of two int or None
        ``(members, pieces)``: the regions are rings of so many members with so many consecutive pieces each, and in
        iteration ``i`` a member has the pieces of the ``i``-th member after it.
    """

    box: IntArray
    begin: IntArray
    end: IntArray
    step: tuple[int, int, int] = NO_STEP
    count: int = 1
    ring: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.box)

    @property
    def n_elements(self) -> IntArray:
        """Elements of each region in one iteration, padding included: int64 array [n]."""
        return self.end - self.begin

    def at(self, iteration: int) -> Regions:
        """Return the regions of one iteration of a loop."""
        if iteration == 0 and self.count == 1:
            return self
        if self.ring is not None:
            index = np.arange(len(self), dtype=np.int64).reshape(-1, *self.ring)
            turned = np.roll(index, -(iteration % self.count), axis=1).reshape(-1)
            return Regions(self.box[turned], self.begin[turned], self.end[turned])
        offset = np.repeat(np.asarray(self.step, dtype=np.int64), 2) * (iteration % self.count)
        return Regions(self.box + offset, self.begin, self.end)

    def iterations(self) -> Iterator[Regions]:
        """Yield the regions of every iteration."""
        for iteration in range(self.count):
            yield self.at(iteration)

    def take(self, index: IntArray) -> Regions:
        """Return the regions at `index`, with the same step and count."""
        return Regions(self.box[index], self.begin[index], self.end[index], self.step, self.count)


def volume(box: IntArray) -> IntArray:
    """Return the number of elements of each box: int64 array [n] from [n, 6]."""
    extents: IntArray = box[:, 1::2] - box[:, ::2]
    return extents[:, 0] * extents[:, 1] * extents[:, 2]


def whole_boxes(box: IntArray, step: tuple[int, int, int] = NO_STEP, count: int = 1) -> Regions:
    """Return regions that cover their boxes completely."""
    box = np.ascontiguousarray(box, dtype=np.int64)
    return Regions(box, np.zeros(len(box), dtype=np.int64), volume(box), step, count)


def as_one_row(regions: Regions, shape: tuple[int, ...]) -> Regions | None:
    """Return the regions of an array ``[groups, rows, cols]`` in the array as one row of all its elements.

    None where the elements of a box do not stand together, or some lie outside of the array.
    """
    groups, rows, cols = shape
    g0, g1, r0, r1, c0, c1 = regions.box.T
    inside = (g1 <= groups) & (r1 <= rows) & (c1 <= cols)
    lines = (c0 == 0) & (c1 == cols)
    matrices = lines & (r0 == 0) & (r1 == rows)
    together = ((r1 - r0 <= 1) | lines) & ((g1 - g0 <= 1) | matrices)
    if not np.all(inside & together):
        return None
    box = np.zeros_like(regions.box)
    box[:, 1] = box[:, 3] = 1
    box[:, 4] = (g0 * rows + r0) * cols + c0
    box[:, 5] = box[:, 4] + volume(regions.box)
    return Regions(box, regions.begin, regions.end)


def in_rings(regions: Regions, members: int, pieces: int = 1, ahead: int = 0) -> Regions:
    """Return regions whose members, in a loop over a ring, have the pieces of the ones after them, one by one.

    Parameters
    ----------
    regions : Regions
        Ring by ring, member by member, piece by piece.
    members, pieces : int
        Members of a ring, and pieces of each.
    ahead : int
        How many members before their turn the pieces are needed.
    """
    turned = Regions(regions.box, regions.begin, regions.end, NO_STEP, members, (members, pieces)).at(ahead)
    return Regions(turned.box, turned.begin, turned.end, NO_STEP, members, (members, pieces) if members > 1 else None)


def matrix_view(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the ``(groups, rows, cols)`` under which a tensor of any rank is stored.

    Leading dimensions are merged into `groups`; missing ones are 1. A vector is one row.
    """
    padded = (1, 1, *shape)
    groups = 1
    for extent in padded[:-2]:
        groups *= extent
    return groups, padded[-2], padded[-1]


def bounding_boxes(regions: Regions) -> IntArray:
    """Return the smallest box around each region of one iteration: int64 array [n, 6]."""
    box = regions.box.copy()
    width = np.maximum(box[:, 5] - box[:, 4], 1)
    height = np.maximum(box[:, 3] - box[:, 2], 1)
    first, last = regions.begin // width, np.maximum(regions.end - 1, regions.begin) // width
    line = first == last
    box[:, 5] = np.where(line, box[:, 4] + (np.maximum(regions.end, regions.begin + 1) - 1) % width + 1, box[:, 5])
    box[:, 4] = np.where(line, box[:, 4] + regions.begin % width, box[:, 4])
    group = first // height == last // height
    box[:, 3] = np.where(group, box[:, 2] + last % height + 1, box[:, 3])
    box[:, 2] = np.where(group, box[:, 2] + first % height, box[:, 2])
    box[:, 1] = box[:, 0] + last // height + 1
    box[:, 0] += first // height
    return box
