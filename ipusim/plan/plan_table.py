"""The table in which a compiled search keeps the best plans it has found.

Plain Python over integers and integer arrays, which the searches compile.
"""

from __future__ import annotations

from ipusim.ir.regions import IntArray

COLUMNS = 11
"""Columns of the table: total cycles, temporary bytes, variant, seven splits, filled."""

UNBOUNDED = 1 << 62
"""First column of an empty row; a bound on memory that nothing breaks."""


def better(table: IntArray, total: int, temporary: int) -> bool:
    """Return whether a plan belongs into the table of the best plans."""
    last = len(table) - 1
    return bool(total < table[last, 0] or (total == table[last, 0] and temporary < table[last, 1]))


def keep_row(table: IntArray, total: int, temporary: int, variant: int, splits: tuple[int, ...]) -> None:
    """Insert a plan into the table of the best plans, which stays sorted by cycles, then by temporary bytes.

    Parameters
    ----------
    table : int64 array [kept, COLUMNS]
        Changed in place.
    total, temporary, variant : int
    splits : tuple of int
        The seven splits.
    """
    place = len(table) - 1
    while place > 0 and (
        table[place - 1, 0] > total or (table[place - 1, 0] == total and table[place - 1, 1] > temporary)
    ):
        for column in range(COLUMNS):
            table[place, column] = table[place - 1, column]
        place -= 1
    table[place, 0] = total
    table[place, 1] = temporary
    table[place, 2] = variant
    for position in range(len(splits)):
        table[place, 3 + position] = splits[position]
    table[place, COLUMNS - 1] = 1
