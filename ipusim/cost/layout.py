"""Where tiles stand on the die, as far as the exchange cares."""

from __future__ import annotations

from functools import cache

import numpy as np

from ipusim.ir.regions import IntArray


@cache
def exchange_rows(n_tiles: int, tiles_per_row: int, tiles_per_bus: int) -> IntArray:
    """Return the exchange row of every tile: int64 array [n_tiles].

    Tiles of one bus are neighbours; the buses snake up and down through columns as high as there are rows. The row
    decides how late the last word of an exchange arrives.

    Parameters
    ----------
    n_tiles : int
    tiles_per_row : int
        Tiles that share a row of the die.
    tiles_per_bus : int
        Tiles that share an exchange bus.

    Notes
    -----
    Source: third-party description of the ipu21 tile numbering, 23 rows of 64 tiles (dense reference, section 1.5).
    """
    n_rows = max(1, -(-n_tiles // tiles_per_row))
    bus = np.arange(n_tiles, dtype=np.int64) // tiles_per_bus
    column, place = bus // n_rows, bus % n_rows
    rows: IntArray = np.where(column % 2 == 0, place, n_rows - 1 - place)
    rows.setflags(write=False)
    return rows
