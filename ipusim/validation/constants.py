"""Constants of the chip that were fitted to published measurements: each is fitted again to parts of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ipusim.chip.model import Chip


@dataclass(frozen=True, slots=True)
class FittedConstant:
    """A constant of the chip that has no source but the measurements.

    Attributes
    ----------
    name, unit, meaning : str
    source : str
        The measurements it was fitted to: a source of this room.
    method : str
        The kind of cases it changes.
    dtypes : tuple of str
        The number formats it changes.
    grid : tuple of float
        The values that are tried.
    value_of : callable
        Returns the packaged value of a chip.
    chip_with : callable
        Returns the chip with another value.
    held_out_band : float
        Largest mean error on series that a fit has not seen.
    """

    name: str
    unit: str
    meaning: str
    source: str
    method: str
    dtypes: tuple[str, ...]
    grid: tuple[float, ...]
    value_of: Callable[[Chip], float]
    chip_with: Callable[[Chip, float], Chip]
    held_out_band: float


def _fill(chip: Chip) -> float:
    return float(next(mode.worker_fill_slots for mode in chip.amp_modes if mode.inputs == "float32"))


def _with_fill(chip: Chip, value: float) -> Chip:
    modes = [mode.model_dump(mode="json") for mode in chip.amp_modes]
    return chip.replace(
        amp_modes=[mode | {"worker_fill_slots": value} if mode["inputs"] == "float32" else mode for mode in modes]
    )


CONSTANTS = (
    FittedConstant(
        name="worker_fill_slots (float32)",
        unit="issue slots",
        meaning="fill and drain of a worker's run of the AMP",
        source="dense_matmul",
        method="dense",
        dtypes=("float32",),
        grid=tuple(30 + 0.4 * step for step in range(18)),
        value_of=_fill,
        chip_with=_with_fill,
        held_out_band=0.035,
    ),
    FittedConstant(
        name="exchange_bucket_gap_cycles",
        unit="cycles",
        meaning="gap between the buckets that a tile receives",
        source="dynamic_best",
        method="dynamic",
        dtypes=("float16", "float32"),
        grid=tuple(float(10 * step) for step in range(21)),
        value_of=lambda chip: float(chip.exchange_bucket_gap_cycles),
        chip_with=lambda chip, value: chip.replace(exchange_bucket_gap_cycles=int(value)),
        held_out_band=0.045,
    ),
)
