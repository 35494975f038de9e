"""Bring an operand to where an op wants it: place a graph input there, or move what another op has left elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.chip.model import Chip
from ipusim.ir.intervals import Intervals, flat_runs, union
from ipusim.ir.program import FROM_HOME, Home, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume, whole_boxes
from ipusim.lower.builder import Builder

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
    one, other = placed_intervals(variable.shape, variable.home), placed_intervals(shape, home)
    return np.array_equal(one.start, other.start) and np.array_equal(one.end, other.end)


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


def bring(builder: Builder, op: str, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
    """Return a variable that holds `tensor` at `home`, adding a rearrangement where it lives elsewhere.

    A graph input that nobody has placed is simply created there: the host writes it in the layout that the first op
    wants, as the published benchmarks do. Everything else is exchanged and copied into place.
    """
    current = builder.placed(tensor)
    if current is None:
        variable = builder.place_tensor(tensor, shape, home)
        builder.inputs[builder.root(tensor)] = variable.name
        return variable
    if current.shape == shape and same_home(current.home, home):
        return current
    if same_place(current, shape, home):
        return builder.place_tensor(tensor, shape, home)
    target = builder.place_tensor(tensor, shape, home)
    builder.steps.extend(rearrangement(builder.chip, op, current, target))
    return target


def rearrangement(chip: Chip, op: str, source: Variable, target: Variable) -> tuple[Superstep, ...]:
    """Return the supersteps that move a variable to another home: an exchange, then a copy on every tile.

    All of a tile's new share is counted as received, which is what the planner assumes for a change of layout (dense
    reference, section 2.11); what happens to be there already is moved on the tile.
    """
    assert target.home is not None
    received = home_bytes(target, chip.n_tiles)
    sent = home_bytes(source, chip.n_tiles)
    pieces = target.home.regions
    n = len(pieces)
    transfer = Transfers(
        variable=source.name,
        label="rearrange",
        source=np.full(n, FROM_HOME, dtype=np.int32),
        regions=pieces,
        group=np.arange(n, dtype=np.int32),
        group_indptr=np.arange(n + 1, dtype=np.int64),
        group_tiles=target.home.tile,
        bytes_sent=sent,
        bytes_received=received,
    )
    tiles = np.flatnonzero(received).astype(np.int32)
    copy = VertexSet(
        codelet="rearrange",
        label="rearrange",
        tile=tiles,
        fields={
            "n_bytes": received[tiles],
            "extent": np.full(len(tiles), target.shape[2], dtype=np.int64),
            "element_bytes": np.full(len(tiles), target.element_bytes, dtype=np.int64),
        },
        operands=(),
    )
    return (
        Superstep(f"{op}/rearrange {target.storage}", op, exchange=(transfer,)),
        Superstep(f"{op}/copy {target.storage}", op, compute=(copy,)),
    )


def whole(box: IntArray) -> Regions:
    """Return regions that cover their boxes."""
    return whole_boxes(box)


def runs(box: IntArray, begin: IntArray, end: IntArray) -> Regions:
    """Return regions that cover a run of each box, cut to the box's elements."""
    size = volume(box)
    return Regions(box, np.minimum(begin, size), np.minimum(end, size))
