"""Area of a chip's die, from its geometry.

The areas of the parts are constants of the chip, stated at 7 nm, the node for which a die is published. What is not
published is the split of that die; see the README of this package for what the figures can tell and what they cannot.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, fields
from math import exp, log, log2

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip

AREA_FIELDS = (
    "process_nm",
    "sram_area_mm2_per_mib",
    "amp_area_mm2_per_mac",
    "tile_core_area_mm2",
    "worker_context_area_mm2",
    "exchange_area_um2_per_crosspoint",
    "uncore_area_mm2",
)
"""Constants of a chip without which its area is not known."""

NODES_NM = (3.0, 5.0, 7.0, 16.0)
SRAM_SCALE = (0.74, 0.78, 1.0, 2.2)
"""Area of the same memory at each node, 7 nm being 1.

Published cells of 0.0199, 0.021 and 0.027 um2 (TSMC N3, N5, N7); 2.2 makes the die of the Mk1 what is published."""
LOGIC_SCALE = (0.34, 0.54, 1.0, 2.2)
"""Area of the same logic at each node: density times 1.84 from N7 to N5 and 1.6 from there to N3 (TSMC)."""

BASE_LOAD_BYTES = 16
"""Load width that the published dies have; what it costs is in their memory."""
PORT_SHARE = 0.05
"""Area that every doubling of the load width beyond it adds to the memory, as a share (assumed)."""
LIST_SHARE = 0.1
"""Area that lists of blocks add to the AMP: a second set of weights, and selection of inputs (assumed)."""
SKIP_SHARE = 0.1
"""Area that n:m skipping adds to the AMP: the selection of inputs (assumed)."""
BASE_BUS_FACTOR = 2
"""Lanes that the buses of the published dies can merge."""
LANE_SHARE = 0.1
"""Area that every further merged lane adds to the exchange (assumed)."""


@dataclass(frozen=True, slots=True)
class AreaBreakdown:
    """Where the area of a die goes, in mm2.

    Attributes
    ----------
    sram, amp, tile_logic, exchange, uncore : float
        Tile memory; matrix units; cores and worker contexts; exchange; links, host interface, clocks and test.
    """

    sram: float
    amp: float
    tile_logic: float
    exchange: float
    uncore: float

    @property
    def total(self) -> float:
        """The whole die."""
        return sum(self.to_dict().values())

    def to_dict(self) -> dict[str, float]:
        """Return the parts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def chip_area_mm2(chip: Chip) -> float | None:
    """Return the area of the die in mm2; None where the chip lacks one of :data:`AREA_FIELDS`."""
    parts = area_breakdown(chip)
    return None if parts is None else parts.total


def missing_area_fields(chip: Chip) -> tuple[str, ...]:
    """Return the constants that the chip would need for its area to be known."""
    return tuple(name for name in AREA_FIELDS if getattr(chip, name) is None)


def area_breakdown(chip: Chip) -> AreaBreakdown | None:
    """Return the parts of the die; None where the chip lacks one of :data:`AREA_FIELDS`.

    Memory grows with its bytes, the AMP with :func:`amp_macs`, the core with the tiles and their contexts, and the
    exchange, in which every tile can listen to every other, with the square of the tiles and with its width. The
    uncore is fixed, whatever the node. Hardware that no chip has yet adds its share; a gather unit takes as much as AMP
    for one product per byte and cycle: half of that multiplies, half walks the list (assumed).
    """
    if missing_area_fields(chip):
        return None
    node, per_mib, per_mac, core, context, crosspoint, uncore = (float(getattr(chip, name)) for name in AREA_FIELDS)
    sram, logic = node_scale(node, SRAM_SCALE), node_scale(node, LOGIC_SCALE)
    ports = 1 + PORT_SHARE * max(0.0, log2(chip.interleaved_load_bytes / BASE_LOAD_BYTES))
    lists = chip.amp_block4_fraction or chip.amp_block8_fraction or chip.amp_block16_fraction
    special = 1 + (LIST_SHARE if lists else 0.0) + (SKIP_SHARE if chip.amp_skip_n else 0.0)
    gather = per_mac * chip.gather_units * chip.gather_bytes_per_cycle
    lanes = 1 + LANE_SHARE * max(0, chip.exchange_bus_rate_factor - BASE_BUS_FACTOR)
    return AreaBreakdown(
        sram=sram * per_mib * ports * chip.total_sram_bytes / 2**20,
        amp=logic * per_mac * special * chip.n_tiles * amp_macs(chip),
        tile_logic=logic * chip.n_tiles * (core + chip.worker_contexts * context + gather),
        exchange=logic * crosspoint * 1e-6 * lanes * chip.n_tiles**2 * chip.exchange_bytes_per_cycle,
        uncore=uncore,
    )


def amp_macs(chip: Chip) -> float:
    """Return the size of a tile's AMP, in float16 products per cycle.

    The largest that one of its modes needs. A multiplier grows with the square of the width of its operands, so that
    a float32 product takes as much as four of float16: the published rates of the Mk2 have that ratio.
    """
    sizes = (mode.flops_per_cycle / 2 * element_bytes(mode.inputs) ** 2 / 4 for mode in chip.amp_modes)
    return max(sizes)


def node_scale(node_nm: float, scale: tuple[float, ...]) -> float:
    """Return the area at a node, a power of the node between (and beyond) those of the table."""
    upper = min(max(bisect_left(NODES_NM, node_nm), 1), len(NODES_NM) - 1)
    low, high = NODES_NM[upper - 1], NODES_NM[upper]
    share = log(node_nm / low) / log(high / low)
    return exp(log(scale[upper - 1]) + share * log(scale[upper] / scale[upper - 1]))
