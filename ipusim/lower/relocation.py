"""A tensor goes to a new home: an exchange that brings every tile its share, and a copy on the tile into its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.ir.program import FROM_HOME, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray
from ipusim.ir.sharing import Sharing
from ipusim.lower.homes import home_bytes


def relocate(
    sharing: Sharing,
    op: str,
    labels: tuple[str, str],
    moving: str,
    target: Variable,
    sent: IntArray,
    origins: tuple[str, ...] = (),
    payload: object = None,
) -> tuple[Superstep, Superstep]:
    """Return the exchange and the copy that bring a variable to its home.

    All of a tile's new share is counted as received, which is what the planner assumes for a change of layout (dense
    reference, section 2.11); what happens to be there already is moved on the tile.

    Parameters
    ----------
    sharing : Sharing
        Of the program.
    op : str
        Operator that wants it.
    labels : tuple of two str
        Names of the two supersteps.
    moving : str
        Variable that is sent: the tensor where it is now, or the target itself where it is only made of others.
    target : Variable
        With a home.
    sent : int64 array [n_tiles]
        Bytes that each tile sends.
    origins : tuple of str
        Variables that the elements come from, where `moving` is the target.
    payload : object
        Which elements the target consists of; None where it has those of its storage.
    """
    key = ("relocation", id(target.home), target.element_bytes, target.shape[2])
    transfers, copy = sharing.once(key, lambda: _to_home(target, len(sent), sharing))
    transfers = replace(transfers, variable=moving, bytes_sent=sent, origins=origins)
    copy = replace(copy, settings={"target": target.storage, "variable": target.name}, payload=payload)
    exchange, place = labels
    return Superstep(exchange, op, exchange=(transfers,)), Superstep(place, op, compute=(copy,))


def _to_home(target: Variable, n_tiles: int, sharing: Sharing) -> tuple[Transfers, VertexSet]:
    """Return the exchange and the copy that fill a home, which do not say yet where the elements come from."""
    assert target.home is not None
    received = sharing.array(home_bytes(target, n_tiles))
    pieces = target.home.regions
    n = len(pieces)
    transfers = Transfers(
        variable="",
        label="rearrange",
        source=np.full(n, FROM_HOME, dtype=np.int32),
        regions=pieces,
        group=np.arange(n, dtype=np.int32),
        group_indptr=np.arange(n + 1, dtype=np.int64),
        group_tiles=target.home.tile,
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
    return sharing.transfers(transfers), sharing.vertices(copy)
