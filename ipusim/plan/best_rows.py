"""The best rows of an exhaustive search, under a bound on memory that is raised where nothing meets it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from ipusim.kernels.jit import compiled
from ipusim.plan.cache import Rows, read_entry, write_entry
from ipusim.plan.dense_estimate import Machine
from ipusim.plan.plan_table import COLUMNS, UNBOUNDED


@lru_cache(maxsize=4096)
def best_rows(
    kind: str,
    machine: Machine,
    work: Any,
    variants: tuple[tuple[int, ...], ...],
    limit_bytes: int,
    kept: int,
    may_relax: bool,
) -> tuple[Rows, int]:
    """Return the rows of the best plans and the memory bound they were found under, from the cache if possible.

    Parameters
    ----------
    kind : str
        ``dense`` or ``conv``: whose search.
    machine, work : named tuples of int
        The chip, and what has to be computed.
    variants : tuple of named tuples of int
        The vertices to choose from.
    limit_bytes : int
        First bound of the temporary bytes of a tile.
    kept : int
        How many plans.
    may_relax : bool
        Raise the bound when nothing meets it: double it up to twice the SRAM, then drop it (dense reference, 2.13).
    """
    key = (machine, work, variants, limit_bytes, kept, may_relax)
    known = read_entry(key)
    if known is None:
        known = search_rows(kind, *key)
        write_entry(key, *known)
    return known


def search_rows(
    kind: str,
    machine: Machine,
    work: Any,
    variants: tuple[tuple[int, ...], ...],
    limit_bytes: int,
    kept: int,
    may_relax: bool,
) -> tuple[Rows, int]:
    """Search for the best plans; see :func:`best_rows`."""
    search: Callable[..., None] = compiled(import_module(f"ipusim.plan.{kind}_search").search)
    rows = np.array(variants, dtype=np.int64)
    bound = limit_bytes
    while True:
        table = np.full((kept, COLUMNS), UNBOUNDED, dtype=np.int64)
        search(machine, work, rows, bound, table)
        found = tuple(tuple(int(value) for value in row) for row in table if row[0] < UNBOUNDED)
        if found or bound == UNBOUNDED or not may_relax:
            return found, bound
        bound *= 2
        if bound > 2 * machine.tile_sram_bytes:
            bound = UNBOUNDED
