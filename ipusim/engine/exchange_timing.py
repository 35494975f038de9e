"""Load of one exchange phase on every tile: bytes in and out, shared buses, endpoint control, distance.

A tile receives one word per cycle. Where all tiles of a bus receive the same data, the bus
carries them at a multiple of the rate. A
multicast is sent once, however many tiles listen. A tile's time is the longest of what it receives, what it sends and
the control instructions of the fragments it receives: nothing contends twice, so that adding load never shortens a
phase and adding bandwidth never lengthens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ipusim.chip.model import Chip
from ipusim.cost.exchange import rate_sixteenths
from ipusim.cost.layout import exchange_rows
from ipusim.engine.charges import Charges
from ipusim.engine.known_costs import KnownCosts
from ipusim.ir.program import Program, TileArray, Transfers
from ipusim.ir.regions import IntArray


@dataclass(frozen=True, slots=True)
class ExchangeLoad:
    """Load of one exchange phase.

    Attributes
    ----------
    moves : bool
        Whether any byte moves.
    cycles : int64 array [n_tiles]
        Time of each tile; 0 for a tile that takes no part.
    sent, received : int64 array [n_tiles]
        Bytes.
    fragments : int64 array [n_tiles]
        Pieces received.
    by_label : dict of str to int64 array [n_tiles]
        Payload cycles of each tile by label.
    """

    moves: bool
    cycles: IntArray
    sent: IntArray
    received: IntArray
    fragments: IntArray
    by_label: dict[str, IntArray]


def exchange_load(
    exchange: tuple[Transfers, ...], program: Program, chip: Chip, charges: Charges, known: KnownCosts | None = None
) -> ExchangeLoad:
    """Return the load of an exchange phase in its first run; bytes that are `known` are not counted again."""
    n_tiles = program.n_tiles
    sent, received, fragments, payload = (np.zeros(n_tiles, dtype=np.int64) for _ in range(4))
    by_label: dict[str, IntArray] = {}
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    for transfers in exchange:
        find = partial(_transfers_load, transfers, program, chip)
        one = known.transfers(transfers, chip, find) if known else find()
        cycles = _ceil(16 * one.shared, chip.exchange_bus_rate_factor * rate) + _ceil(
            16 * (one.received - one.shared), rate
        )
        by_label[transfers.label] = by_label.get(transfers.label, 0) + cycles
        payload += cycles
        if transfers.gaps is not None:
            waiting = charges.gap_cycles * transfers.gaps
            by_label["gap"] = by_label.get("gap", 0) + waiting
            payload += waiting
        sent += one.sent
        received += one.received
        fragments += one.fragments
    busy = np.maximum(np.maximum(payload, _ceil(16 * sent, rate)), charges.fragment_cycles * fragments)
    takes_part = (sent > 0) | (received > 0)
    rows = exchange_rows(n_tiles, chip.tiles_per_exchange_row, chip.tiles_per_exchange_bus)
    busy = np.where(takes_part, busy + charges.exchange_cycles + charges.row_cycles * rows, 0)
    return ExchangeLoad(bool(takes_part.any()), busy, sent, received, fragments, by_label)


@dataclass(frozen=True, slots=True)
class _Load:
    sent: IntArray
    received: IntArray
    shared: IntArray
    fragments: IntArray


def _transfers_load(transfers: Transfers, program: Program, chip: Chip) -> _Load:
    """Return bytes sent, received, received over a shared bus, and fragments, of each tile: int64 [n_tiles]."""
    n_tiles = program.n_tiles
    indptr, tiles = transfers.group_indptr, transfers.group_tiles
    pieces = transfers.regions.n_elements * program.variables[transfers.variable].element_bytes
    members = np.diff(indptr)
    n_groups = len(members)
    group_bytes = np.bincount(transfers.group, weights=pieces, minlength=n_groups).astype(np.int64)
    group_fragments = np.bincount(transfers.group, minlength=n_groups)
    group_of_entry = np.repeat(np.arange(n_groups), members)
    whole_bus = _bus_is_whole(group_of_entry, tiles, chip)

    fragments = np.bincount(tiles, weights=group_fragments[group_of_entry], minlength=n_tiles).astype(np.int64)
    if transfers.bytes_received is not None and transfers.bytes_sent is not None:
        shared = np.zeros(n_tiles, dtype=np.int64) if transfers.bytes_shared is None else transfers.bytes_shared
        return _Load(transfers.bytes_sent, transfers.bytes_received, shared, fragments)
    received = np.bincount(tiles, weights=group_bytes[group_of_entry], minlength=n_tiles).astype(np.int64)
    shared = np.bincount(tiles, weights=np.where(whole_bus, group_bytes[group_of_entry], 0), minlength=n_tiles)
    shared = shared.astype(np.int64)
    sent = np.bincount(transfers.source, weights=pieces, minlength=n_tiles).astype(np.int64)

    own = _member_of_own_group(transfers, group_of_entry)
    kept = np.bincount(transfers.source[own >= 0], weights=pieces[own >= 0], minlength=n_tiles).astype(np.int64)
    kept_entry = own[own >= 0]
    kept_shared = np.where(whole_bus[kept_entry], pieces[own >= 0], 0)
    shared -= np.bincount(transfers.source[own >= 0], weights=kept_shared, minlength=n_tiles).astype(np.int64)
    fragments -= np.bincount(transfers.source[own >= 0], minlength=n_tiles)
    return _Load(sent, received - kept, shared, fragments)


def _bus_is_whole(group: IntArray, tiles: TileArray, chip: Chip) -> IntArray:
    """Return for every member of every group whether all tiles of its bus are members: bool array [entries]."""
    if not chip.exchange_bus_sharing or chip.tiles_per_exchange_bus < 2 or len(tiles) == 0:
        return np.zeros(len(tiles), dtype=bool)
    bus = tiles.astype(np.int64) // chip.tiles_per_exchange_bus
    new = np.concatenate([[True], (bus[1:] != bus[:-1]) | (group[1:] != group[:-1])])
    run = np.cumsum(new) - 1
    length = np.bincount(run)
    whole: IntArray = length[run] == chip.tiles_per_exchange_bus
    return whole


def _member_of_own_group(transfers: Transfers, group_of_entry: IntArray) -> IntArray:
    """Return for every piece the entry of its source in its own group, or -1: int64 array [n]."""
    span = int(max(transfers.group_tiles.max(initial=0), transfers.source.max(initial=0))) + 2
    entry_key = group_of_entry * span + transfers.group_tiles
    piece_key = transfers.group.astype(np.int64) * span + transfers.source
    if not len(entry_key):
        return np.full(len(piece_key), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(entry_key, piece_key), len(entry_key) - 1)
    found: IntArray = np.where(entry_key[place] == piece_key, place, -1)
    return found


def _ceil(a: IntArray, b: int) -> IntArray:
    return -(-a // b)
