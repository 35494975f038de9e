"""Which groups of tiles send how much to which: the exchange matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipusim.ir.program import Program, Transfers
from ipusim.ir.regions import IntArray
from ipusim.ir.sharing import Key, transfers_key
from ipusim.report.profile.collected import FloatArray, Places

MOST_GROUPS = 32
_SLICE = 1 << 16
"""Destinations that are worked on at once, which bounds the memory that it takes."""


def exchange_matrix(program: Program) -> dict[str, Any]:
    """Return the bytes that travel between groups of neighbouring tiles in a whole program.

    A multicast counts for every receiver. Pairs are exact where the program says who sends (partial sums), and where
    the elements of the pieces that are collected say it by where they lie. Where a transfer only states what each tile
    sends and receives, its senders are spread over its receivers in proportion; `spread_bytes` says how much that is.

    Returns
    -------
    dict
        ``tiles_per_group``; ``bytes``: a row per sending, a column per receiving group; ``spread_bytes``.
    """
    size = -(-program.n_tiles // MOST_GROUPS)
    n_groups = -(-program.n_tiles // size)
    total: FloatArray = np.zeros((n_groups, n_groups))
    spread = 0.0
    places = Places(program, size)
    known: dict[Key, tuple[FloatArray, float]] = {}
    for step, count in program.supersteps():
        for transfers in step.exchange:
            home = program.variables[transfers.variable].home
            key = (*transfers_key(transfers, program), home and (id(home.tile), id(home.regions)))
            if key not in known:
                known[key] = _pairs(transfers, program, places, size)
            matrix, told_by_proportion = known[key]
            total += count * matrix
            spread += count * told_by_proportion
    return {
        "tiles_per_group": size,
        "bytes": [[round(value) for value in row] for row in total.tolist()],
        "spread_bytes": round(spread),
    }


def _pairs(transfers: Transfers, program: Program, places: Places, size: int) -> tuple[FloatArray, float]:
    """Return the bytes between groups of one run of some transfers, and how many of them are told by proportion."""
    if transfers.bytes_sent is None or transfers.bytes_received is None:
        return _exact(transfers, program, size), 0.0
    found = places.matrix(transfers)
    if found is not None:
        return found
    spread = _spread(transfers, program.n_tiles, size)
    return spread, float(spread.sum())


def _spread(transfers: Transfers, n_tiles: int, size: int) -> FloatArray:
    assert transfers.bytes_sent is not None
    assert transfers.bytes_received is not None
    starts = np.arange(0, n_tiles, size)
    sent: FloatArray = np.add.reduceat(transfers.bytes_sent, starts).astype(np.float64)
    received: FloatArray = np.add.reduceat(transfers.bytes_received, starts).astype(np.float64)
    found: FloatArray = np.outer(sent, received) / max(sent.sum(), 1.0)
    return found


def _exact(transfers: Transfers, program: Program, size: int) -> FloatArray:
    n_groups = -(-program.n_tiles // size)
    pieces = transfers.regions.n_elements * program.variables[transfers.variable].element_bytes
    indptr = transfers.group_indptr
    destinations = len(indptr) - 1
    order = np.argsort(transfers.group, kind="stable")
    ascending = transfers.group[order]
    found: FloatArray = np.zeros((n_groups, n_groups))
    for first in range(0, destinations, _SLICE):
        last = min(first + _SLICE, destinations)
        receiver = np.repeat(np.arange(last - first), np.diff(indptr[first : last + 1]))
        to = transfers.group_tiles[indptr[first] : indptr[last]] // size
        here = order[np.searchsorted(ascending, first) : np.searchsorted(ascending, last)]
        sender, come = transfers.group[here].astype(np.int64) - first, transfers.source[here] // size
        received = np.bincount(receiver * n_groups + to, minlength=(last - first) * n_groups)
        sent = np.bincount(sender * n_groups + come, weights=pieces[here], minlength=(last - first) * n_groups)
        found += sent.reshape(-1, n_groups).T @ received.reshape(-1, n_groups).astype(np.float64)
    own = _stays(transfers)
    np.subtract.at(found, (transfers.source[own] // size, transfers.source[own] // size), pieces[own])
    return found


def _stays(transfers: Transfers) -> IntArray:
    """Return the pieces whose source is one of their receivers, which has them already."""
    members = np.diff(transfers.group_indptr)
    span = int(max(transfers.group_tiles.max(initial=0), transfers.source.max(initial=0))) + 1
    receiving = np.repeat(np.arange(len(members), dtype=np.int64), members) * span + transfers.group_tiles
    found: IntArray = np.flatnonzero(np.isin(transfers.group.astype(np.int64) * span + transfers.source, receiving))
    return found
