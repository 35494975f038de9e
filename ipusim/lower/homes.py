"""Homes: where the elements of a variable live, the default mapping, and comparisons of homes."""

from __future__ import annotations

import numpy as np

from ipusim.ir.intervals import Intervals, flat_runs, union
from ipusim.ir.program import FROM_HOME, Home, TileArray, Transfers, Variable
from ipusim.ir.regions import IntArray, Regions

LINEAR_MINIMUM_BYTES = 128
"""Least bytes of a tensor on a tile under linear mapping (poplibs poputil; dense reference, section 2.14)."""


def linear_home(shape: tuple[int, int, int], element_bytes: int, n_tiles: int) -> Home:
    """Return the default mapping: equal runs of elements over the tiles, at least 128 bytes each.

    Source: poplibs lib/poputil/TileMapping.cpp (dense reference, section 2.14).
    """
    elements = shape[0] * shape[1] * shape[2]
    per_tile = max(-(-elements // n_tiles), -(-LINEAR_MINIMUM_BYTES // element_bytes))
    used = max(1, -(-elements // per_tile))
    begin = np.arange(used, dtype=np.int64) * per_tile
    end = np.minimum(begin + per_tile, elements)
    box = np.tile(np.array([0, shape[0], 0, shape[1], 0, shape[2]], dtype=np.int64), (used, 1))
    return Home(np.arange(used, dtype=np.int32), Regions(box, begin, end))


def same_home(one: Home | None, other: Home) -> bool:
    """Return whether two homes are the same pieces on the same tiles."""
    if one is None:
        return False
    if one is other:
        return True
    a, b = one.regions, other.regions
    return (
        (a.step, a.count) == (b.step, b.count)
        and np.array_equal(one.tile, other.tile)
        and np.array_equal(a.box, b.box)
        and np.array_equal(a.begin, b.begin)
        and np.array_equal(a.end, b.end)
    )


def unrolled(home: Home) -> Home:
    """Return a home whose pieces are listed one by one instead of stepping."""
    regions = home.regions
    if regions.count == 1:
        return home
    every = [regions.at(iteration) for iteration in range(regions.count)]
    return Home(
        np.tile(home.tile, regions.count),
        Regions(
            np.concatenate([each.box for each in every]),
            np.tile(regions.begin, regions.count),
            np.tile(regions.end, regions.count),
        ),
    )


def same_place(variable: Variable, shape: tuple[int, int, int], home: Home) -> bool:
    """Return whether a variable lies where a home in another view of the same elements says."""
    if variable.home is None:
        return False
    if variable.shape == shape and same_home(variable.home, home):
        return True
    if not np.array_equal(_elements_on_tiles(variable.home), _elements_on_tiles(home)):
        return False
    # what differs mostly differs on the first tile, too, where it is soon seen
    first = int(home.tile[0]) if len(home.tile) else 0
    here = _on_tile(variable.home, first), _on_tile(home, first)
    return all(
        np.array_equal(one.start, other.start) and np.array_equal(one.end, other.end)
        for one, other in (
            (placed_intervals(variable.shape, each[0]), placed_intervals(shape, each[1]))
            for each in (here, (variable.home, home))
        )
    )


def _on_tile(home: Home, tile: int) -> Home:
    """Return the pieces of a home on one tile."""
    pieces = np.flatnonzero(home.tile == tile)
    return Home(home.tile[pieces], home.regions.take(pieces))


def _elements_on_tiles(home: Home) -> IntArray:
    """Return the elements of a home on each tile up to the last that has any: int64 array."""
    elements = home.regions.n_elements * home.regions.count
    total: IntArray = np.trim_zeros(np.bincount(home.tile, weights=elements), "b").astype(np.int64)
    return total


def placed_intervals(shape: tuple[int, int, int], home: Home) -> Intervals:
    """Return what lies where: element `e` on tile `t` is the number ``t * (elements + 1) + e``.

    Parameters
    ----------
    shape : tuple of three int
        Of the variable whose home it is.
    home : Home
    """
    stride = shape[0] * shape[1] * shape[2] + 1
    pieces = []
    for regions in home.regions.iterations():
        runs, owner = flat_runs(regions, shape)
        offset = home.tile[owner].astype(np.int64) * stride
        pieces.append(Intervals(runs.start + offset, runs.end + offset))
    return union(*pieces)


def home_bytes(variable: Variable, n_tiles: int) -> IntArray:
    """Return the bytes of a variable's home on each tile: int64 array [n_tiles]."""
    total: IntArray = np.zeros(n_tiles, dtype=np.int64)
    if variable.home is not None:
        regions = variable.home.regions
        np.add.at(total, variable.home.tile, (regions.end - regions.begin) * regions.count * variable.element_bytes)
    return total


def from_home(
    label: str, variable: Variable, tile: TileArray, regions: Regions, sent: IntArray, received: IntArray
) -> Transfers:
    """Return an exchange in which each tile receives its region from wherever it is.

    Parameters
    ----------
    tile : int32 array [n]
    regions : Regions [n]
    sent, received : int64 arrays [n_tiles of the chip]
        Bytes of each tile of the chip.
    """
    n = len(tile)
    return Transfers(
        variable=variable.name,
        label=label,
        source=np.full(n, FROM_HOME, dtype=np.int32),
        regions=regions,
        group=np.arange(n, dtype=np.int32),
        group_indptr=np.arange(n + 1, dtype=np.int64),
        group_tiles=tile,
        bytes_sent=sent,
        bytes_received=received,
    )
