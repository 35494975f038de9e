"""Operands that are repeated over a result: which of their elements each piece needs, and how it gets them."""

from __future__ import annotations

import numpy as np

from ipusim.ir.expression import covered_runs
from ipusim.ir.program import FROM_HOME, Home, TileArray, Transfers, Variable
from ipusim.ir.regions import IntArray, Regions, bounding_boxes
from ipusim.lower.builder import Builder
from ipusim.lower.homes import home_bytes, placed_intervals


def needed_runs(pattern: IntArray, shape: tuple[int, int, int], home: Home, variable: Variable) -> Regions:
    """Return the run of a repeated operand that each piece of the result needs.

    Parameters
    ----------
    pattern : int64 array [axes, 2]
        How the operand is repeated (:func:`~ipusim.ir.expression.broadcast_pattern`).
    shape : tuple of three int
        Of the result's variable.
    home : Home
        Of the result.
    variable : Variable
        The operand.
    """
    box = bounding_boxes(home.regions)
    edge = np.asarray(shape, dtype=np.int64)
    box[:, 1::2] = np.minimum(box[:, 1::2], edge)
    box[:, ::2] = np.minimum(box[:, ::2], edge - 1)
    first, end = covered_runs(pattern, shape, box)
    return variable_runs(variable, first, end)


def known_runs(
    builder: Builder, pattern: IntArray, shape: tuple[int, int, int], home: Home, variable: Variable
) -> Regions:
    """Return :func:`needed_runs` of a home that `builder` shares; those of an equal operand are the same."""
    key = ("runs", pattern.tobytes(), shape, id(home.regions), variable.shape)
    return builder.sharing.once(key, lambda: builder.sharing.regions(needed_runs(pattern, shape, home, variable)))


def variable_runs(variable: Variable, first: IntArray, end: IntArray) -> Regions:
    """Return runs of elements of a whole variable, in row-major order, as regions."""
    groups, rows, cols = variable.shape
    box = np.tile(np.array([0, groups, 0, rows, 0, cols], dtype=np.int64), (len(first), 1))
    return Regions(box, first, end)


def operand_transfers(builder: Builder, variable: Variable, tile: TileArray, runs: Regions) -> list[Transfers]:
    """Return the exchange of runs of an operand to the tiles that need them; none if they all have them already."""
    away = ~resident(builder, variable, tile, runs)
    if not away.any():
        return []
    chosen = np.flatnonzero(away)
    needed, receivers = runs.take(chosen), tile[chosen]
    received = np.bincount(
        receivers, weights=needed.n_elements * variable.element_bytes, minlength=builder.chip.n_tiles
    ).astype(np.int64)
    n = len(chosen)
    return [
        Transfers(
            variable=variable.name,
            label="operands",
            source=np.full(n, FROM_HOME, dtype=np.int32),
            regions=needed,
            group=np.arange(n, dtype=np.int32),
            group_indptr=np.arange(n + 1, dtype=np.int64),
            group_tiles=receivers,
            bytes_sent=home_bytes(variable, builder.chip.n_tiles),
            bytes_received=received,
        )
    ]


def resident(
    builder: Builder, variable: Variable, tile: TileArray, runs: Regions
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return whether each run of a variable is part of its home on the tile that needs it: bool array [n]."""
    if variable.home is None:
        return np.zeros(len(runs), dtype=bool)
    home = variable.home
    held = builder.sharing.once(("intervals", variable.shape, id(home)), lambda: placed_intervals(variable.shape, home))
    stride = variable.shape[0] * variable.shape[1] * variable.shape[2] + 1
    start = tile.astype(np.int64) * stride + runs.begin
    end = tile.astype(np.int64) * stride + runs.end
    at = np.maximum(np.searchsorted(held.start, start, side="right") - 1, 0)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (held.start[at] <= start) & (held.end[at] >= end)
    return found
