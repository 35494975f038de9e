"""Bytes on every tile of homes, of what exchanges deliver and of what vertices leave; of equal parts, counted once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ipusim.ir.program import Operand, Program, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray
from ipusim.ir.sharing import Key


class TileBytes:
    """What a program has on its tiles; arrays that it returns are shared, and not to be changed."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[Key, IntArray] = {}

    def home(self, variable: Variable) -> IntArray:
        """Return the bytes of a variable that has a home: int64 array [n_tiles]."""
        home = variable.home
        assert home is not None
        regions = home.regions
        key = ("home", id(home.tile), id(regions), variable.element_bytes)
        return self._once(
            key, lambda: self._sum(home.tile, regions.n_elements * regions.count * variable.element_bytes)
        )

    def delivered(self, transfers: Transfers) -> IntArray:
        """Return the bytes of an operand that transfers bring to each tile: int64 array [n_tiles]."""
        if transfers.bytes_received is not None:
            return transfers.bytes_received
        element_bytes = self._program.variables[transfers.variable].element_bytes

        def count() -> IntArray:
            members = np.diff(transfers.group_indptr)
            weights = transfers.regions.n_elements * element_bytes
            group_bytes = np.bincount(transfers.group, weights=weights, minlength=len(members))
            return self._sum(transfers.group_tiles, np.repeat(group_bytes, members).astype(np.int64))

        return self._once(("delivered", id(transfers.regions), element_bytes, *_groups(transfers)), count)

    def left(self, vertices: VertexSet, operand: Operand) -> IntArray:
        """Return the bytes of an operand that vertices write: int64 array [n_tiles]."""
        n_bytes = self._program.variables[operand.variable].element_bytes
        segments = operand.segments

        def count() -> IntArray:
            tile = vertices.tile if segments is None else vertices.tile.repeat(np.diff(segments))
            return self._sum(tile, operand.regions.n_elements * n_bytes)

        return self._once(("left", id(vertices.tile), id(segments), id(operand.regions), n_bytes), count)

    def endpoints(self, transfers: Transfers) -> IntArray:
        """Return the fragments that each tile receives or sends: int64 array [n_tiles]."""

        def count() -> IntArray:
            members = np.diff(transfers.group_indptr)
            pieces = np.bincount(transfers.group, minlength=len(members))
            sent = transfers.source[transfers.source >= 0]
            received = self._sum(transfers.group_tiles, np.repeat(pieces, members))
            return received + np.bincount(sent, minlength=self._program.n_tiles)

        return self._once(("endpoints", id(transfers.source), *_groups(transfers)), count)

    def _once(self, key: Key, count: Callable[[], IntArray]) -> IntArray:
        if key not in self._known:
            self._known[key] = count()
        return self._known[key]

    def _sum(self, tile: TileArray, n_bytes: IntArray) -> IntArray:
        return np.bincount(tile, weights=n_bytes, minlength=self._program.n_tiles).astype(np.int64)


def _groups(transfers: Transfers) -> Key:
    return id(transfers.group), id(transfers.group_indptr), id(transfers.group_tiles)
