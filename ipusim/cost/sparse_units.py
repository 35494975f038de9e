"""Hardware made for sparse products, which no chip has yet: what it offers on a tile, and the cycles it takes.

Three mechanisms, each off where the chip has none, and none of them slower than the loop that it replaces:

* a *gather unit* walks a list of non-zeros, loads the rows of the dense operand they name and multiplies them;
* an AMP with *block lists* takes block after block of a row without the supervisor: weights of the next block are
  loaded while the columns stream past this one, and blocks of a row share their partial sums;
* an AMP that *skips n:m* holds the kept weights only, and picks their inputs out of ``m / n`` times as many.

All of it has to come through the ports of the tile's memory: ``interleaved_load_bytes`` per cycle.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from ipusim.chip.amp import AmpMode, element_bytes
from ipusim.cost.arithmetic import ceil_div


class UnitsChip(Protocol):
    """The fields of a chip that say what it offers for sparse products."""

    @property
    def interleaved_load_bytes(self) -> int:
        """Bytes that a tile can load per cycle."""

    @property
    def amp_load_bytes_per_cycle(self) -> int:
        """Rate at which the AMP's weights are loaded."""

    @property
    def amp_modes(self) -> tuple[AmpMode, ...]:
        """Geometry of the AMP."""

    @property
    def amp_block4_fraction(self) -> float:
        """Part of the dense rate for lists of 4x4 blocks; 0 without them."""

    @property
    def amp_block8_fraction(self) -> float:
        """The same for blocks of 8."""

    @property
    def amp_block16_fraction(self) -> float:
        """The same for blocks of 16."""

    @property
    def amp_skip_n(self) -> int:
        """Weights kept of each group; 0 without skipping."""

    @property
    def amp_skip_m(self) -> int:
        """Weights of a group."""

    @property
    def amp_skip_fraction(self) -> float:
        """Part of the dense rate for kept weights."""

    @property
    def gather_units(self) -> int:
        """Gather units of a tile."""

    @property
    def gather_bytes_per_cycle(self) -> int:
        """Bytes of gathered rows per unit and cycle."""


class SparseUnits(NamedTuple):
    """What a tile offers for one block size and pair of formats; a tuple, so that compiled formulas take it.

    Attributes
    ----------
    column_slots : float
        Worker slots per column of a listed block; 0 without block lists.
    list_fill_slots : float
        Worker slots that filling the AMP for a row of blocks costs.
    block_fill_slots : float
        The same for a block of a long row: its share of a pass over as many weights as the AMP holds.
    skip_rows, skip_weights : int
        Rows of the sparse operand that an n:m pass takes, and kept weights of each; 0 without skipping.
    skip_load_cycles : int
        Cycles to load the weights of an n:m pass and their places in the groups.
    skip_column_slots, skip_fill_slots : float
        Worker slots of an n:m pass: per column, and beside its columns.
    gather_elements : int
        Elements of gathered rows that all gather units of a tile multiply per cycle; 0 without such units.
    """

    column_slots: float = 0.0
    list_fill_slots: float = 0.0
    block_fill_slots: float = 0.0
    skip_rows: int = 0
    skip_weights: int = 0
    skip_load_cycles: int = 0
    skip_column_slots: float = 0.0
    skip_fill_slots: float = 0.0
    gather_elements: int = 0


NO_UNITS = SparseUnits()


def sparse_units(chip: UnitsChip, block_size: int, inputs: str, partials: str, n_m: bool = False) -> SparseUnits:
    """Return what `chip` offers for a sparse product.

    Parameters
    ----------
    chip : UnitsChip
    block_size : int
        1, 4, 8 or 16.
    inputs, partials : str
        Number formats.
    n_m : bool
        The pattern keeps at most ``amp_skip_n`` of each ``amp_skip_m`` neighbours of a row.
    """
    modes = [mode for mode in chip.amp_modes if (mode.inputs, mode.partials) == (inputs, partials)]
    mode = max(modes, key=lambda mode: mode.flops_per_cycle, default=None)
    if block_size == 1:
        gathered = min(chip.gather_units * chip.gather_bytes_per_cycle, chip.interleaved_load_bytes)
        units = SparseUnits(gather_elements=gathered // element_bytes(inputs))
        if mode is None or not n_m or not chip.amp_skip_n:
            return units
        return _skipping(chip, mode, units)
    fractions = {4: chip.amp_block4_fraction, 8: chip.amp_block8_fraction, 16: chip.amp_block16_fraction}
    if mode is None or not fractions[block_size]:
        return NO_UNITS
    return _listing(chip, mode, block_size, fractions[block_size])


def _listing(chip: UnitsChip, mode: AmpMode, block_size: int, fraction: float) -> SparseUnits:
    held = mode.units * mode.in_channels
    share = block_size**2 / held
    loaded = block_size * (element_bytes(mode.inputs) + element_bytes(mode.partials) * share)
    slots = max(share * mode.cycles_per_row / fraction, loaded / chip.interleaved_load_bytes)
    fill = float(mode.worker_fill_slots)
    return SparseUnits(column_slots=slots, list_fill_slots=fill, block_fill_slots=fill * share)


def _skipping(chip: UnitsChip, mode: AmpMode, units: SparseUnits) -> SparseUnits:
    place_bits = (chip.amp_skip_m - 1).bit_length()
    stored_bits = mode.units * mode.in_channels * (8 * element_bytes(mode.inputs) + place_bits)
    wide = mode.in_channels * chip.amp_skip_m / chip.amp_skip_n * element_bytes(mode.inputs)
    loaded = wide + mode.units * element_bytes(mode.partials)
    slots = max(mode.cycles_per_row / chip.amp_skip_fraction, loaded / chip.interleaved_load_bytes)
    return units._replace(
        skip_rows=mode.units,
        skip_weights=mode.in_channels,
        skip_load_cycles=ceil_div(stored_bits, 8 * chip.amp_load_bytes_per_cycle),
        skip_column_slots=slots,
        skip_fill_slots=float(mode.worker_fill_slots),
    )


def gathered_slots(loop_slots: int, n_elements: int, gather_elements: int) -> int:
    """Return the slots of a worker's inner loop over non-zeros: those of the loop, or those of the gather units.

    A worker has a share of the units, so that in one of its slots they multiply as many elements for it as they do for
    the whole tile in a cycle.

    Parameters
    ----------
    loop_slots : int
        Slots of the loop without units.
    n_elements : int
        Non-zeros of the loop times columns.
    gather_elements : int
        Elements per cycle of the tile; 0 without gather units.
    """
    return min(loop_slots, ceil_div(n_elements, gather_elements)) if gather_elements else loop_slots


def listed_row_cycles(list_fill_slots: float, workers: int) -> int:
    """Return the cycles that an AMP with block lists adds to each row of blocks."""
    return math.ceil(workers * list_fill_slots)


def listed_block_cycles(
    n_cols: int, load_cycles: int, column_slots: float, block_fill_slots: float, workers: int
) -> int:
    """Return the cycles of a listed block: its columns stream past while the next block is loaded.

    Parameters
    ----------
    n_cols : int
        Columns of the slowest worker.
    load_cycles : int
        Cycles to load the weights of a block.
    column_slots, block_fill_slots : float
        As in :class:`SparseUnits`.
    workers : int
        Worker contexts of a tile.
    """
    return max(load_cycles, math.ceil(workers * (n_cols * column_slots + block_fill_slots)))


def use_lists(listed_block: int, listed_row: int, block_cycles: int) -> bool:
    """Return whether lists beat blocks one by one even in a row of a single block, where the pattern is not known."""
    return listed_block + listed_row <= block_cycles


def skipping_cycles(
    n_rows: int,
    n_non_zeros: int,
    n_cols: int,
    skip_rows: int,
    skip_weights: int,
    skip_load_cycles: int,
    skip_column_slots: float,
    skip_fill_slots: float,
    workers: int,
) -> int:
    """Return the cycles of the products of an n:m pattern on a tile, as passes of an AMP that skips.

    Parameters
    ----------
    n_rows, n_non_zeros : int
        Rows of the tile with a non-zero, and all their non-zeros.
    n_cols : int
        Columns of the slowest worker.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    The loops around a pass cost what they do in :func:`ipusim.codelets.amp_1x1.measured_line_cycles`: 50 cycles a call,
    19 for each group of rows, 6 a pass. The rest is in :class:`SparseUnits`.
    """
    groups = ceil_div(n_rows, skip_rows)
    passes = groups * ceil_div(ceil_div(n_non_zeros, n_rows), skip_weights)
    one = 6 + skip_load_cycles + math.ceil(workers * (skip_fill_slots + n_cols * skip_column_slots))
    return 50 + 19 * groups + passes * one
