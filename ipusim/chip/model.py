"""The chip: every hardware constant that the simulator uses, as one flat, frozen record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from ipusim.chip.amp import AmpMode, FormatPair, element_bytes, storage_format
from ipusim.chip.provenance import Provenance
from ipusim.files.units import Bytes, Count, Flag, Hertz, Number

MAX_TILES = 1_000_000
NAMING_FIELDS = {"name", "description"}
"""Fields that are no hardware constants."""

_MAX_CYCLES = 10**9
_MAX_PER_CYCLE = 2**20

Joule: TypeAlias = Annotated[Number, Field(ge=0)]


def _constant(description: str, unit: str = "", **limits: Any) -> Any:
    return Field(description=description, json_schema_extra={"unit": unit}, **limits)


def _cycles(description: str) -> Any:
    return _constant(description, "cycles", ge=0, le=_MAX_CYCLES)


def _rate(description: str) -> Any:
    return _constant(description, "B/cycle", ge=1, le=_MAX_PER_CYCLE)


def _block_fraction(description: str) -> Any:
    return _constant(description, ge=0, le=1, default=0)


def _optional(description: str, unit: str) -> Any:
    return _constant(description, unit, default=None, ge=0)


def _fraction(description: str) -> Any:
    return _constant(description, default=None, ge=0, le=1)


class Chip(BaseModel):
    """A chip of `n_tiles` equal tiles on one exchange.

    Fields are plain numbers with their unit in the name; `provenance` says where each comes from. Energy, power and
    area are None where nothing is known. Chips are loaded with :func:`ipusim.chip.load.load_chip`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="what reports call the chip")
    description: str = Field(default="", description="one line about the chip")

    n_tiles: Count = _constant("tiles on the chip", "tiles", ge=1, le=MAX_TILES)
    worker_contexts: Count = _constant("hardware threads of a tile", "workers", ge=1, le=1024)
    clock_hz: Hertz = _constant("clock of tiles and exchange", "Hz", gt=0, le=1e12)

    tile_sram_bytes: Bytes = _constant("SRAM of a tile", "B", ge=1, le=2**40)
    sram_element_bytes: Bytes = _constant("physical memory element; accesses contend per element", "B", ge=1)
    interleaved_sram_bytes: Bytes = _constant(
        "SRAM in interleaved pairs of elements, at most all of a tile's", "B", ge=0
    )
    data_path_bytes: Count = _rate("width of an ordinary load or store, per cycle")
    interleaved_load_bytes: Count = _rate("width of a load from interleaved memory, per cycle")
    copy_bytes_per_cycle: Count = _rate("copy inside a tile")
    atomic_store_bytes: Count = _constant("narrowest store that needs no read before", "B", ge=1, le=1024)
    instruction_bytes: Count = _constant("size of an instruction", "B", ge=1, le=1024)

    exchange_bytes_per_cycle: Count = _rate("payload that a tile can receive, and can send")
    tiles_per_exchange_bus: Count = _constant("neighbouring tiles on one exchange bus", "tiles", ge=1, le=MAX_TILES)
    exchange_bus_sharing: Flag = _constant("tiles of a bus that receive the same data receive it at twice the rate")
    exchange_bus_rate_factor: Count = _constant(
        "times the rate at which tiles of a bus receive the same data, where they share it", ge=1, le=1024, default=2
    )
    exchange_gather_sharing: Flag = _constant(
        "operands that sparse products gather share the buses, too", default=False
    )
    exchange_mux_cycles: Count = _cycles("from sync to the moment a receiver switches its mux")
    exchange_tail_cycles: Count = _cycles("arrival after the last word is sent, to a receiver in row 0")
    exchange_row_cycles: Count = _cycles("additional arrival per row of the receiver")
    tiles_per_exchange_row: Count = _constant("tiles in a row of the exchange", "tiles", ge=1, le=MAX_TILES)
    exchange_control_cycles_per_fragment: Count = _cycles("issue slots per received fragment, beside the payload")
    exchange_instruction_bytes: Count = _constant("size of an exchange instruction", "B", ge=0, le=1024)
    exchange_instructions_per_transfer: Count = _constant("exchange code per endpoint of a transfer", ge=0, le=10**6)
    exchange_phase_overhead_cycles: Count = _cycles("of every exchange phase, beside sync, mux, tail and rows")
    exchange_bucket_gap_cycles: Count = _cycles("between the buckets of other tiles that a tile receives")
    sync_cycles: Count = _cycles("barrier over the tiles of the chip")
    external_sync_cycles: Count = _cycles("barrier with other chips or the host")
    compute_set_overhead_cycles: Count = _cycles("of every compute set, beside its vertices: dispatch and return")

    amp_weight_bytes_per_unit: Count = _constant("weights that a convolution unit holds", "B", ge=1, le=2**20)
    amp_load_bytes_per_cycle: Count = _rate("load of weights into the convolution units")
    amp_modes: tuple[AmpMode, ...] = _constant("geometry of the matrix unit, one row per vertex variant", min_length=1)
    amp_block4_fraction: Number = _block_fraction(
        "of the dense rate, at which the AMP works through lists of 4x4 blocks; 0: it has no such lists"
    )
    amp_block8_fraction: Number = _block_fraction("the same for lists of 8x8 blocks")
    amp_block16_fraction: Number = _block_fraction("the same for lists of 16x16 blocks")
    amp_skip_n: Count = _constant(
        "weights kept of each amp_skip_m of a row, which the AMP multiplies and no others; 0: it skips nothing",
        ge=0,
        le=64,
        default=0,
    )
    amp_skip_m: Count = _constant("neighbouring weights of which amp_skip_n are kept", ge=0, le=64, default=0)
    amp_skip_fraction: Number = _constant(
        "of the dense rate, at which the AMP multiplies kept weights", gt=0, le=1, default=1
    )
    gather_units: Count = _constant(
        "units of a tile that multiply gathered rows by list", "units", ge=0, le=1024, default=0
    )
    gather_bytes_per_cycle: Count = _constant(
        "of gathered rows that a gather unit loads and multiplies", "B/cycle", ge=1, le=_MAX_PER_CYCLE, default=8
    )
    max_repeat_count: Count = _constant("iterations of a hardware loop", ge=1, le=2**40)
    stride_bits: Count = _constant("width of a signed stride in a load or store", "bits", ge=2, le=64)

    n_links: Count = _constant("links to other chips", "links", ge=0, le=10**6)
    link_bytes_per_s: Number = _constant("one link, one direction, before efficiency", "B/s", ge=0)
    link_efficiency: Number = _constant("fraction of a link's rate that payload reaches", ge=0, le=1)
    dram_bytes: Bytes = _constant("memory outside the chip, for this chip", "B", ge=0)
    dram_bytes_per_s: Number = _constant("between that memory and the tiles", "B/s", ge=0)
    dram_stacked: Flag = _constant(
        "that memory is stacked on the tiles: operands stream in while the tiles compute", default=False
    )
    host_bytes_per_s: Number = _constant("between the host and the chip", "B/s", ge=0)

    energy_per_flop_j: dict[FormatPair, Joule] = _constant(
        "AMP operation with its operands, by format (float16) or inputs/partials (float16/float32)",
        "J/FLOP",
        default_factory=dict,
    )
    amp_memory_energy_fraction: Number | None = _fraction("of the energy of an AMP operation that goes to tile memory")
    amp_transport_energy_fraction: Number | None = _fraction("of it that goes to the operands' way inside the tile")
    sram_energy_per_byte_j: Number | None = _optional("tile memory access outside the AMP", "J/B")
    exchange_energy_per_byte_j: Number | None = _optional("payload through the exchange", "J/B")
    instruction_energy_j: Number | None = _optional("fetch and issue of an instruction outside the AMP's loop", "J")
    link_energy_per_byte_j: Number | None = _optional("payload through a link", "J/B")
    dram_energy_per_byte_j: Number | None = _optional("payload to or from memory outside the chip", "J/B")
    static_power_w_per_mm2: Number | None = _optional("leakage and clock of the die", "W/mm2")
    chip_power_w: Number | None = _optional("power of the chip under load, as published", "W")
    die_area_mm2: Number | None = _optional("area of the die", "mm2")
    process_nm: Number | None = _constant("name of the process node", "nm", default=None, gt=0, le=1000)
    sram_area_mm2_per_mib: Number | None = _optional("tile memory with its periphery, at 7 nm", "mm2/MiB")
    amp_area_mm2_per_mac: Number | None = _optional("AMP per float16 product and cycle of its rate, at 7 nm", "mm2")
    tile_core_area_mm2: Number | None = _optional("tile without memory, AMP and worker contexts, at 7 nm", "mm2")
    worker_context_area_mm2: Number | None = _optional("registers and issue of one worker context, at 7 nm", "mm2")
    exchange_area_um2_per_crosspoint: Number | None = _optional(
        "exchange per pair of tiles and byte of its width, at 7 nm", "um2"
    )
    uncore_area_mm2: Number | None = _optional("links, host interface, clocks and test; the same at every node", "mm2")

    _provenance: Mapping[str, Provenance] = PrivateAttr(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.content_key())

    @property
    def provenance(self) -> Mapping[str, Provenance]:
        """Field, or dotted path of a part of a table, to its :class:`Provenance`."""
        return self._provenance

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, as Pydantic's does; prefer :meth:`replace`, which checks the new values."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("_content_key", None)
        return copy

    def with_provenance(self, provenance: Mapping[str, Provenance]) -> Chip:
        """Return the same chip with another `provenance`."""
        copy = self.model_copy()
        copy._provenance = dict(provenance)
        return copy

    def replace(self, **fields: object) -> Chip:
        """Return the chip with other values of some fields.

        Raises
        ------
        BadInputError
            When a field is unknown or its value is not accepted.
        """
        from ipusim.chip.load import load_chip

        return load_chip(self, (), **fields)

    def content_key(self) -> str:
        """Return a digest of all constants, the same for equal chips whatever their names and sources."""
        return self._content_key

    @cached_property
    def _content_key(self) -> str:
        values = self.model_dump(mode="json", exclude=NAMING_FIELDS, warnings=False)  # half a cycle is a what-if
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def total_sram_bytes(self) -> int:
        """SRAM of all tiles, in bytes."""
        return self.n_tiles * self.tile_sram_bytes

    @property
    def exchange_bytes_per_s(self) -> float:
        """Payload that all tiles together can receive, in bytes per second."""
        return self.n_tiles * self.exchange_bytes_per_cycle * self.clock_hz

    @property
    def sram_read_bytes_per_s(self) -> float:
        """Bytes per second that all tiles together can load from interleaved memory."""
        return self.n_tiles * self.interleaved_load_bytes * self.clock_hz

    def amp_modes_for(self, inputs: str, partials: str | None = None) -> tuple[AmpMode, ...]:
        """Return the AMP rows for a pair of number formats (of any partials when None), in the order of the file."""
        wanted, result = storage_format(inputs), partials and storage_format(partials)
        return tuple(m for m in self.amp_modes if m.inputs == wanted and (not result or m.partials == result))

    def peak_flops(self, inputs: str, partials: str | None = None) -> float:
        """Return the peak of the AMP in FLOP/s, a multiply-add counted as two; 0 where it does not know the formats.

        ``n_tiles * clock_hz * 2 * units * in_channels / cycles_per_row`` of the fastest row.
        """
        rates = (mode.flops_per_cycle for mode in self.amp_modes_for(inputs, partials))
        return self.n_tiles * self.clock_hz * max(rates, default=0.0)

    def vector_width(self, number_format: str) -> int:
        """Return how many elements fit in the data path, at least one.

        Raises
        ------
        ValueError
            When no chip knows the format.
        """
        return max(1, self.data_path_bytes // element_bytes(number_format))

    def flop_energy_j(self, inputs: str, partials: str | None = None) -> float | None:
        """Return the energy of one AMP operation in joules, None where it is not known."""
        inputs = storage_format(inputs)
        pair = f"{inputs}/{storage_format(partials)}" if partials else inputs
        return self.energy_per_flop_j.get(pair, self.energy_per_flop_j.get(inputs))
