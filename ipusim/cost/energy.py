"""Energy by component, from what a program performs and the chip's constants.

What the vendor publishes for a matmul (joules per operation, by format) holds its operands' way from tile memory into
the AMP; the published split of it says how much. So an AMP vertex is charged that figure and nothing for its operands,
and all other vertices are charged the arithmetic part of it, their bytes, and their instructions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from ipusim.chip.model import Chip
from ipusim.cost.area import chip_area_mm2, missing_area_fields

ENERGY_FIELDS = (
    "energy_per_flop_j",
    "amp_memory_energy_fraction",
    "amp_transport_energy_fraction",
    "sram_energy_per_byte_j",
    "exchange_energy_per_byte_j",
    "instruction_energy_j",
    "static_power_w_per_mm2",
)
"""Constants of a chip without which the energy of a program is not known, beside those of its area."""


@dataclass(frozen=True, slots=True)
class Work:
    """What some vertices perform, all of them together.

    Attributes
    ----------
    inputs, partials : str
        Number formats of the arithmetic; empty where there is none.
    amp_flops : int
        Operations of the AMP, a multiply-add counted as two, padding included.
    amp_cycles : float
        Cycles in which a tile's AMP performs them at its full rate.
    vector_flops : int
        Operations of the vector path.
    read_bytes, written_bytes : int
        Accesses to tile memory that the energy of an AMP operation does not include.
    """

    inputs: str = ""
    partials: str = ""
    amp_flops: int = 0
    amp_cycles: float = 0.0
    vector_flops: int = 0
    read_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy by component, in joules.

    Attributes
    ----------
    arithmetic : float
        Multipliers and adders of AMP and vector path.
    memory : float
        Tile memory: operands of the AMP, loads and stores of other vertices, both ends of the exchange.
    transport : float
        Way of the AMP's operands inside a tile.
    exchange : float
        Way of the payload between tiles.
    dram : float
        Reads from memory outside the tiles.
    control : float
        Instructions other than those of the AMP's loop, and barriers.
    static : float
        Leakage and clock while the program runs.
    """

    arithmetic: float = 0.0
    memory: float = 0.0
    transport: float = 0.0
    exchange: float = 0.0
    dram: float = 0.0
    control: float = 0.0
    static: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the components."""
        return sum(self.to_dict().values())

    def to_dict(self) -> dict[str, float]:
        """Return joules by component."""
        return {name: getattr(self, name) for name in COMPONENTS}

    def __add__(self, other: Energy) -> Energy:
        return Energy(*(getattr(self, name) + getattr(other, name) for name in COMPONENTS))

    def times(self, count: int) -> Energy:
        """Return the energy of `count` times the same."""
        return Energy(*(count * getattr(self, name) for name in COMPONENTS))


COMPONENTS = tuple(field.name for field in fields(Energy))


def missing_energy_fields(chip: Chip, formats: Iterable[tuple[str, str]] = (), dram: bool = False) -> tuple[str, ...]:
    """Return the constants that the chip would need; those of number formats as ``energy_per_flop_j.bfloat16``.

    Parameters
    ----------
    chip : Chip
    formats : iterable of (inputs, partials)
        Number formats that are to be known.
    dram : bool
        The energy of DRAM is to be known, too.
    """
    wanted = (*ENERGY_FIELDS, "dram_energy_per_byte_j") if dram else ENERGY_FIELDS
    missing = [name for name in wanted if getattr(chip, name) is None]
    missing += missing_area_fields(chip)
    for inputs, partials in dict.fromkeys(formats):
        if chip.flop_energy_j(inputs, partials) is None:
            missing.append(f"energy_per_flop_j.{inputs}")
    return tuple(dict.fromkeys(missing))


def work_energy(work: Work, chip: Chip) -> Energy:
    """Return the energy of `work` in arithmetic, memory and transport; the chip has to know all constants.

    Notes
    -----
    With the energy `e` of an AMP operation, of which the fractions `m` and `t` go to memory and transport:
    ``arithmetic = (1 - m - t) e (amp_flops + vector_flops)``, ``memory = m e amp_flops + s (read + written)`` and
    ``transport = t e amp_flops``, where `s` is the energy of a byte of tile memory. That an operation of the vector
    path takes as much arithmetic as one of the AMP is an assumption.
    """
    per_flop = float(chip.flop_energy_j(work.inputs, work.partials) or 0)
    memory, transport = known(chip, "amp_memory_energy_fraction"), known(chip, "amp_transport_energy_fraction")
    return Energy(
        arithmetic=(1 - memory - transport) * per_flop * (work.amp_flops + work.vector_flops),
        memory=memory * per_flop * work.amp_flops + sram_energy_j(work.read_bytes + work.written_bytes, chip),
        transport=transport * per_flop * work.amp_flops,
    )


def exchange_energy(bytes_sent: int, bytes_received: int, chip: Chip) -> Energy:
    """Return the energy of an exchange phase.

    A byte from one tile to one other takes ``exchange_energy_per_byte_j``: half for driving the sender's bus, half for
    every tile that listens to it. It is read from the sender's memory and written to the receiver's.
    """
    moved = bytes_sent + bytes_received
    return Energy(memory=sram_energy_j(moved, chip), exchange=moved / 2 * known(chip, "exchange_energy_per_byte_j"))


def dram_energy(n_bytes: int, chip: Chip) -> Energy:
    """Return the energy of reading `n_bytes` from DRAM; their way over the exchange is charged as received bytes."""
    return Energy(dram=n_bytes * known(chip, "dram_energy_per_byte_j"))


def control_energy(busy_cycles: int, amp_cycles: float, barriers: int, chip: Chip) -> Energy:
    """Return the energy of control: an instruction in every busy cycle, and one of every tile at a barrier.

    Parameters
    ----------
    busy_cycles : int
        Compute cycles of all tiles together.
    amp_cycles : float
        Those in which an AMP runs at its full rate; the energy of its operations includes their instructions.
    barriers : int
    """
    issued = max(0.0, busy_cycles - amp_cycles) + barriers * chip.n_tiles
    return Energy(control=issued * known(chip, "instruction_energy_j"))


def static_energy(cycles: int, chip: Chip) -> Energy:
    """Return the energy of leakage and clock in `cycles`: the only one that depends on the chip's clock."""
    return Energy(static=(static_power_w(chip) or 0.0) * cycles / chip.clock_hz)


def static_power_w(chip: Chip) -> float | None:
    """Return the power of the chip at rest, in proportion to its area; None where a constant is missing."""
    area = chip_area_mm2(chip)
    if chip.static_power_w_per_mm2 is None or area is None:
        return None
    return float(chip.static_power_w_per_mm2) * area


def sram_energy_j(n_bytes: int, chip: Chip) -> float:
    """Return the energy of reading or writing `n_bytes` of tile memory outside the AMP, in joules."""
    return n_bytes * known(chip, "sram_energy_per_byte_j")


def known(chip: Chip, name: str) -> float:
    """Return a constant of energy.

    Raises
    ------
    ValueError
        When the chip does not have it.
    """
    value = getattr(chip, name)
    if value is None:
        raise ValueError(f"the chip {chip.name!r} has no {name}")
    return float(value)


def matmul_power_w(chip: Chip, inputs: str, partials: str | None = None, fraction_of_peak: float = 1.0) -> float | None:
    """Return the power of a matmul at a fraction of the AMP's peak, in watts; None where a constant is missing.

    ``fraction_of_peak * peak_flops * energy per operation + static power``: no exchange, no other vertices.
    """
    per_flop = chip.flop_energy_j(inputs, partials)
    at_rest = static_power_w(chip)
    if per_flop is None or at_rest is None:
        return None
    return fraction_of_peak * chip.peak_flops(inputs, partials) * float(per_flop) + at_rest
