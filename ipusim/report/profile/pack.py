"""Arrays over tiles as short texts, and groups of tiles where a chip has very many."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.ir.regions import IntArray

MOST_CELLS = 4096
"""Figures by tile have no more entries than this; of larger chips, neighbouring tiles share an entry."""


def pack(values: NDArray[Any]) -> str:
    """Return whole numbers as text: ``i4:`` or ``f8:``, then base64 of the zlib stream of little-endian numbers.

    Numbers beyond 32 bits are packed as float64.
    """
    kind = "i4" if not len(values) or int(np.abs(values).max()) < 1 << 31 else "f8"
    raw = np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()
    return f"{kind}:{base64.b64encode(zlib.compress(raw, 6)).decode()}"


def unpack(text: str) -> NDArray[Any]:
    """Return the numbers of a packed text."""
    kind, _, body = text.partition(":")
    return np.frombuffer(zlib.decompress(base64.b64decode(body)), dtype=f"<{kind}")


@dataclass(frozen=True, slots=True)
class Cells:
    """Groups of as many neighbouring tiles each as keep their number in bounds.

    Attributes
    ----------
    n_tiles : int
    tiles_per_cell : int
    """

    n_tiles: int
    tiles_per_cell: int

    def largest(self, values: IntArray) -> IntArray:
        """Return the largest value in each cell, from one value per tile."""
        if self.tiles_per_cell == 1:
            return values
        found: IntArray = np.maximum.reduceat(values, np.arange(0, self.n_tiles, self.tiles_per_cell))
        return found


def cells_of(n_tiles: int) -> Cells:
    """Return the cells of a chip."""
    return Cells(n_tiles, -(-n_tiles // MOST_CELLS))
