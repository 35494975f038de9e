"""Rules that tie several constants of a chip together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip
from ipusim.files.wording import Path


@dataclass(frozen=True, slots=True)
class Conflict:
    """Constants that cannot go together.

    Attributes
    ----------
    paths : tuple of Path
        The constants, the one most likely to blame first.
    message : str
        What is wrong; true wherever it is shown.
    """

    paths: tuple[Path, ...]
    message: str


def check_chip(chip: Chip) -> tuple[Conflict, ...]:
    """Return everything about `chip` that cannot be built."""
    return (*_check_multiples(chip), *_check_bounds(chip), *_check_amp(chip), *_check_what_if(chip))


def _check_multiples(chip: Chip) -> Iterator[Conflict]:
    for name, divisor in (
        ("tile_sram_bytes", "sram_element_bytes"),
        ("interleaved_sram_bytes", "sram_element_bytes"),
        ("interleaved_load_bytes", "data_path_bytes"),
        ("n_tiles", "tiles_per_exchange_bus"),
    ):
        value, unit = getattr(chip, name), getattr(chip, divisor)
        if value % unit:
            yield Conflict(((name,), (divisor,)), f"{name} ({value}) must be a multiple of {divisor} ({unit})")


def _check_bounds(chip: Chip) -> Iterator[Conflict]:
    for name, bound in (("amp_load_bytes_per_cycle", "interleaved_load_bytes"),):
        value, most = getattr(chip, name), getattr(chip, bound)
        if value > most:
            yield Conflict(((name,), (bound,)), f"{name} ({value}) must be at most {bound} ({most})")
    memory, transport = chip.amp_memory_energy_fraction or 0, chip.amp_transport_energy_fraction or 0
    if memory + transport > 1:
        names = ("amp_memory_energy_fraction", "amp_transport_energy_fraction")
        message = f"{names[0]} ({memory:g}) and {names[1]} ({transport:g}) add up to more than 1"
        yield Conflict(((names[0],), (names[1],)), message)
    if chip.exchange_bus_sharing and chip.tiles_per_exchange_bus == 1:
        paths: tuple[Path, ...] = (("exchange_bus_sharing",), ("tiles_per_exchange_bus",))
        yield Conflict(paths, "exchange_bus_sharing needs tiles_per_exchange_bus of at least 2, found 1")


def _check_amp(chip: Chip) -> Iterator[Conflict]:
    rows: dict[tuple[str, str, int], int] = {}
    for index, mode in enumerate(chip.amp_modes):
        first = rows.setdefault((mode.inputs, mode.partials, mode.units), index)
        if first != index:
            paths: tuple[Path, ...] = (("amp_modes", index), ("amp_modes", first))
            yield Conflict(paths, f"rows {first} and {index} of amp_modes have the same inputs, partials and units")
        weight_bytes = mode.in_channels * element_bytes(mode.inputs)
        if weight_bytes > chip.amp_weight_bytes_per_unit:
            message = (
                f"{mode.in_channels} weights of {mode.inputs} take {weight_bytes} bytes, "
                f"but a unit holds amp_weight_bytes_per_unit ({chip.amp_weight_bytes_per_unit})"
            )
            yield Conflict((("amp_modes", index, "in_channels"), ("amp_weight_bytes_per_unit",)), message)


def _check_what_if(chip: Chip) -> Iterator[Conflict]:
    """Check the hardware that no chip has yet."""
    factor, tiles = chip.exchange_bus_rate_factor, chip.tiles_per_exchange_bus
    if chip.exchange_bus_sharing and factor > tiles > 1:
        message = f"exchange_bus_rate_factor ({factor}) must be at most tiles_per_exchange_bus ({tiles})"
        yield Conflict((("exchange_bus_rate_factor",), ("tiles_per_exchange_bus",)), message)
    if chip.exchange_gather_sharing and not chip.exchange_bus_sharing:
        message = "exchange_gather_sharing needs exchange_bus_sharing"
        yield Conflict((("exchange_gather_sharing",), ("exchange_bus_sharing",)), message)
    if chip.data_path_bytes < 4:
        message = f"data_path_bytes ({chip.data_path_bytes}) must be at least 4: a float32 is loaded at once"
        yield Conflict((("data_path_bytes",),), message)
    kept, group = chip.amp_skip_n, chip.amp_skip_m
    if (kept or group) and not 0 < kept < group:
        message = f"amp_skip_n ({kept}) must be at least 1 and less than amp_skip_m ({group}), or both 0"
        yield Conflict((("amp_skip_n",), ("amp_skip_m",)), message)
