"""Bring an operand to where an op wants it: place a graph input there, or move what another op has left elsewhere."""

from __future__ import annotations

import numpy as np

from ipusim.chip.model import Chip
from ipusim.ir.program import FROM_HOME, Home, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume, whole_boxes
from ipusim.lower.builder import Builder
from ipusim.lower.homes import home_bytes, same_home, same_place
from ipusim.lower.movement import move


def bring(builder: Builder, op: str, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
    """Return a variable that holds `tensor` at `home`, adding a rearrangement where it lives elsewhere.

    A graph input that nobody has placed is simply created there: the host writes it in the layout that the first op
    wants, as the published benchmarks do. What only waits for being moved goes there directly. Everything else is
    exchanged and copied into place.
    """
    current = builder.placed(tensor)
    if current is None and builder.root(tensor) in builder.pending:
        return move(builder, tensor, shape, home)
    if current is None:
        return builder.create_input(tensor, shape, home)
    if current.shape == shape and same_home(current.home, home):
        return current
    if same_place(current, shape, home):
        return builder.place_view(tensor, shape, home, current)
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
        settings={"target": target.storage, "variable": target.name},
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
