"""Operands of a product picked from where they are: one exchange brings each tile its block, piece by piece.

Otherwise an operand that lies elsewhere is first brought to its home (an exchange and a copy) and sent to all that need
it from there. Picking saves both for many small pieces, each of which costs control instructions and exchange code. It
goes only where pieces are whole words, since the exchange moves words, and for movements (a transpose, ...) only where
nobody else reads the result: then it exists nowhere but in the blocks of this product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.intervals import Intervals, flat_runs
from ipusim.ir.movement import Movement
from ipusim.ir.program import FROM_HOME, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.lower.broadcast import variable_runs
from ipusim.lower.builder import Builder
from ipusim.lower.matmul_operands import Side, Tiled
from ipusim.lower.movement import with_places
from ipusim.ops.registry import find_op

WORD_BYTES = 4
"""What the exchange moves at once."""

_NOTHING: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Picked:
    """An operand on its way: the variable to read it by, its exchange, and for a movement who makes its values."""

    variable: Variable
    transfers: Transfers
    vertices: tuple[VertexSet, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of the blocks of groups: first and last element in target and source, group, and sending tile."""

    target: IntArray
    start: IntArray
    end: IntArray
    group: IntArray
    tile: IntArray


def pick_operand(builder: Builder, tiles: Tiled, side: Side, readers: int) -> Picked | None:
    """Return the exchange that brings each tile its block of an operand from where it is; None where that cannot be.

    Parameters
    ----------
    builder : Builder
    tiles : Tiled
    side : Side
        Without serial slices.
    readers : int
        How many ops read the operand here.
    """
    root = builder.root(side.tensor)
    if side.count > 1 or (builder.placed(side.tensor) is None and root not in builder.pending):
        return None
    waiting = builder.pending.get(root)
    if waiting is not None and (_is_wanted_elsewhere(builder, root, readers) or not _is_made_of_one(waiting[1])):
        return None
    groups, first = np.unique(side.group, return_index=True)
    blocks = whole_boxes(side.block[first])
    if waiting is None:
        source = builder.placed(side.tensor)
        movement = None
    else:
        movement = with_places(builder, waiting[1])
        source = builder.variables[next(movement.sources()).variable]
    assert source is not None
    pieces = _pieces(source, blocks, side.shape, movement)
    if pieces is None:
        return None
    storage = root if movement else source.storage
    dtype = builder.graph.tensors[side.tensor].dtype
    variable = builder.add_variable(side.tensor, side.shape, dtype, "tensor", None, storage=storage)
    order = np.argsort(side.group, kind="stable")
    indptr = np.searchsorted(side.group[order], np.append(groups, groups[-1] + 1))
    transfers = Transfers(
        variable=variable.name,
        label=side.label,
        source=pieces.tile.astype(np.int32),
        regions=variable_runs(variable, pieces.target, pieces.target + pieces.end - pieces.start),
        group=pieces.group.astype(np.int32),
        group_indptr=indptr.astype(np.int64),
        group_tiles=tiles.tile[order],
        origins=(source.name,),
    )
    if movement is None or waiting is None:
        return Picked(variable, transfers)
    del builder.pending[root]
    return Picked(variable, _of_movement(builder, transfers, source), (_maker(waiting[0], variable, movement),))


def _is_wanted_elsewhere(builder: Builder, root: str, readers: int) -> bool:
    graph = builder.graph
    names = builder.same_values(root)
    reading = {op.name for name in names for op in graph.consumers(name) if not _is_view(op.kind)}
    return len(reading) > readers or not set(names).isdisjoint(graph.outputs)


def _is_view(kind: str) -> bool:
    return find_op(kind).family == "view"


def _is_made_of_one(movement: Movement) -> bool:
    """Return whether a waiting movement takes its elements from one tensor, each once."""
    if len(movement.operands) != 1 or movement.kind == "pad":
        return False
    operand = movement.operands[0][0]
    return not isinstance(operand, Movement) or _is_made_of_one(operand)


def _pieces(
    source: Variable, blocks: Regions, shape: tuple[int, int, int], movement: Movement | None
) -> _Pieces | None:
    """Return the pieces of blocks as they lie in `source`; None where they are not whole words."""
    assert source.home is not None
    runs, group = flat_runs(blocks, shape)
    target, start, end = runs.start, runs.start, runs.end
    if movement is not None:
        target, start, end, group = _taken(runs, group, movement)
    held, tile = _held(source)
    low = np.searchsorted(held.end, start, side="right")
    high = np.searchsorted(held.start, end, side="left")
    count = high - low
    owner = np.repeat(np.arange(len(start)), count)
    piece = low[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    begin, stop = np.maximum(start[owner], held.start[piece]), np.minimum(end[owner], held.end[piece])
    per_word = WORD_BYTES // source.element_bytes
    whole = ((begin - held.start[piece]) % per_word == 0).all() and ((stop - begin) % per_word == 0).all()
    if per_word > 1 and not (whole and ((held.end - held.start) % per_word == 0).all()):
        return None
    return _Pieces(target[owner] + begin - start[owner], begin, stop, group[owner], tile[piece])


def _held(source: Variable) -> tuple[Intervals, IntArray]:
    """Return the runs of elements of a variable in ascending order, and the tile of each."""
    assert source.home is not None
    starts, ends, tiles = [], [], []
    for regions in source.home.regions.iterations():
        runs, owner = flat_runs(regions, source.shape)
        starts.append(runs.start)
        ends.append(runs.end)
        tiles.append(source.home.tile[owner].astype(np.int64))
    start, end, tile = np.concatenate(starts), np.concatenate(ends), np.concatenate(tiles)
    order = np.argsort(start, kind="stable")
    return Intervals(start[order], end[order]), tile[order]


def _taken(runs: Intervals, group: IntArray, movement: Movement) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return runs of a moved tensor as runs of what it is made of: first element there, bounds here, and the group."""
    length = runs.end - runs.start
    owner = np.repeat(np.arange(len(length)), length)
    element = runs.start[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    taken = _numbers(movement).reshape(-1)[element]
    opens = np.ones(len(taken), dtype=bool)
    opens[1:] = (taken[1:] != taken[:-1] + 1) | (element[1:] != element[:-1] + 1)
    opens[1:] |= group[owner[1:]] != group[owner[:-1]]
    first = np.flatnonzero(opens)
    size = np.diff(np.append(first, len(taken)))
    return element[first], taken[first], taken[first] + size, group[owner[first]]


def _numbers(movement: Movement) -> IntArray:
    """Return for every element of a moved tensor the number of the element that it is: int64 array."""
    operand, shape = movement.operands[0]
    inner = _numbers(operand) if isinstance(operand, Movement) else np.arange(int(np.prod(shape)), dtype=np.int64)
    moved = find_op(movement.kind).reference((inner.reshape(shape).astype(np.float64),), movement.attrs)
    return np.asarray(moved, dtype=np.int64)


def _of_movement(builder: Builder, transfers: Transfers, source: Variable) -> Transfers:
    """Return the exchange of a tensor that is nowhere yet: from where its elements are, with the bytes counted."""
    n_tiles = builder.chip.n_tiles
    pieces = transfers.regions.n_elements * source.element_bytes
    members = np.diff(transfers.group_indptr)
    group_bytes = np.bincount(transfers.group, weights=pieces, minlength=len(members)).astype(np.int64)
    per_entry = np.repeat(group_bytes, members)
    entry_group = np.repeat(np.arange(len(members)), members)
    received = np.bincount(transfers.group_tiles, weights=per_entry, minlength=n_tiles).astype(np.int64)
    bus = builder.chip.tiles_per_exchange_bus
    shared = np.zeros(n_tiles, dtype=np.int64)
    if builder.chip.exchange_bus_sharing and bus > 1:
        group_of = np.full(-(-n_tiles // bus) * bus, -1, dtype=np.int64)
        group_of[transfers.group_tiles] = entry_group
        rows = group_of.reshape(-1, bus)
        alike = np.repeat((rows == rows[:, :1]).all(axis=1) & (rows[:, 0] >= 0), bus)[:n_tiles]
        shared = np.where(alike, received, 0)
    sent = np.bincount(transfers.source, weights=pieces, minlength=n_tiles).astype(np.int64)
    return Transfers(
        transfers.variable,
        transfers.label,
        np.full(len(transfers.source), FROM_HOME, dtype=np.int32),
        transfers.regions,
        transfers.group,
        transfers.group_indptr,
        transfers.group_tiles,
        bytes_sent=sent,
        bytes_received=received,
        bytes_shared=shared,
        origins=(source.name,),
    )


def _maker(op: str, variable: Variable, movement: Movement) -> VertexSet:
    """Return vertices without a tile: nothing runs, the exchange has put the elements into their new order."""
    fields = {"n_bytes": _NOTHING, "extent": _NOTHING, "element_bytes": _NOTHING}
    settings: dict[str, object] = {"target": variable.storage, "variable": variable.name}
    return VertexSet("rearrange", "rearrange", np.zeros(0, dtype=np.int32), fields, (), settings, movement, op)
