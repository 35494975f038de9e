"""How a table whose rows are looked up, or updated, is cut over tiles: what gather and scatter plans share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar, NamedTuple

from ipusim.chip.model import Chip
from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.tensor import Tensor
from ipusim.ops.gather import table_extents
from ipusim.ops.spec import Attrs
from ipusim.plan.tile_plan import TilePlan

SPREAD = 1.25
"""A tile holds at most this many times its even share of a table, which lies there all the time."""

SMALL_SHARE = 1 / 32
"""Share of a tile's memory that part of a table may always take."""

GRAIN_BYTES = 8
"""A row is cut at whole vectors of this many bytes."""


class TableProblem(NamedTuple):
    """A table ``[outer, dictionary, inner]`` whose middle axis is indexed `lookups` times, and bytes of an element."""

    outer: int
    dictionary: int
    inner: int
    lookups: int
    element_bytes: int


class TableSplit(NamedTuple):
    """Parts of the indices, of the axes of the table; a tile has one of each."""

    lookups: int
    outer: int
    inner: int
    dictionary: int


class TableMachine(NamedTuple):
    """What the plans of tables have to know of a chip.

    Attributes
    ----------
    n_tiles, workers : int
    rate_sixteenths : int
        Exchange rate in sixteenths of a byte per cycle.
    phase_cycles, launch_cycles : int
        For every exchange, for every compute set.
    temporary_bytes : int
        Most temporary bytes of a tile.
    small_bytes : int
        Part of a table that a tile may always hold.
    """

    n_tiles: int
    workers: int
    rate_sixteenths: int
    phase_cycles: int
    launch_cycles: int
    temporary_bytes: int
    small_bytes: int


class Share(NamedTuple):
    """The largest share of a tile: rows of the table, elements of each of them, and indices."""

    dictionary: int
    row_elements: int
    lookups: int


def table_problem(table: Tensor, indices: Tensor, attrs: Attrs, element_bytes: int) -> TableProblem:
    """Return the table of an op as a box, and how often it is looked up."""
    return TableProblem(*table_extents(table, attrs), indices.n_elements, element_bytes)


def table_machine(chip: Chip, rate: int, proportion: float) -> TableMachine:
    """Return what plans have to know of `chip`, whose exchange has a `rate` in sixteenths of a byte per cycle."""
    exchange = chip.exchange_mux_cycles + chip.exchange_tail_cycles + chip.exchange_phase_overhead_cycles
    return TableMachine(
        chip.n_tiles,
        chip.worker_contexts,
        rate,
        int(chip.sync_cycles + exchange),
        int(chip.compute_set_overhead_cycles),
        int(proportion * chip.tile_sram_bytes),
        int(SMALL_SHARE * chip.tile_sram_bytes),
    )


def grain_elements(problem: TableProblem) -> int:
    """Return the elements that a row is cut in multiples of."""
    return max(1, GRAIN_BYTES // problem.element_bytes)


def largest_share(problem: TableProblem, split: TableSplit) -> Share:
    """Return the largest share of a tile."""
    grain = grain_elements(problem)
    inner = min(problem.inner, ceil_div(ceil_div(problem.inner, grain), split.inner) * grain)
    return Share(
        ceil_div(problem.dictionary, split.dictionary),
        ceil_div(problem.outer, split.outer) * inner,
        ceil_div(problem.lookups, split.lookups),
    )


def table_splits(problem: TableProblem, n_tiles: int) -> Iterator[TableSplit]:
    """Yield the splits that are tried: parts that grow by a half and by a third in turn, and as many as there is room.

    Few parts of an axis differ much in cost, so that the steps between many of them matter little.
    """
    inner = ceil_div(problem.inner, grain_elements(problem))
    for p_outer in _parts(problem.outer, n_tiles):
        for p_inner in _parts(inner, n_tiles // p_outer):
            columns = p_outer * p_inner
            for p_lookups in _parts(problem.lookups, n_tiles // columns):
                for p_dictionary in _parts(problem.dictionary, n_tiles // (columns * p_lookups)):
                    yield TableSplit(p_lookups, p_outer, p_inner, p_dictionary)


def _parts(extent: int, limit: int) -> tuple[int, ...]:
    """Return numbers of parts to try, each the smallest with its largest part, ascending."""
    most = min(extent, limit)
    steps = {size << bit for size in (2, 3) for bit in range(most.bit_length())} | {1, most}
    found = {ceil_div(extent, ceil_div(extent, parts)) for parts in steps if parts <= most}
    return tuple(sorted(found))


def uneven_bytes(problem: TableProblem, split: TableSplit, machine: TableMachine) -> int:
    """Return by how many bytes a tile holds more of the table than it should.

    A table takes its memory away from all other ops of the network, however seldom it is read.
    """
    rows, elements, _ = largest_share(problem, split)
    held = ceil_div(rows, split.lookups) * elements * problem.element_bytes
    even = ceil_div(problem.outer * problem.dictionary * problem.inner * problem.element_bytes, machine.n_tiles)
    return max(0, held - max(int(SPREAD * even), machine.small_bytes))


def tiles_of(split: TableSplit) -> int:
    """Return the number of tiles of a split."""
    return prod(split)


@dataclass(frozen=True, slots=True)
class TablePlan(TilePlan):
    """How one gather, or scatter, is cut over the tiles.

    Attributes
    ----------
    problem : TableProblem
    split : TableSplit
    """

    strategy: ClassVar[str] = "table"

    problem: TableProblem
    split: TableSplit

    @property
    def partition(self) -> dict[str, int]:
        """The split as reports show it."""
        split = self.split
        return {
            "p_lookups": split.lookups,
            "p_dictionary": split.dictionary,
            "p_columns": split.outer * split.inner,
        }
