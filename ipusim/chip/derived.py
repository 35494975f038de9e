"""Figures that follow from the constants of a chip, for people to compare with what is published."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.chip.amp import STORAGE_FORMATS
from ipusim.chip.model import Chip


@dataclass(frozen=True, slots=True)
class Figure:
    """A derived figure.

    Attributes
    ----------
    name : str
        What it is.
    value : float
        In `unit`.
    unit : str
        Such as ``FLOP/s``.
    formula : str
        How it follows from the constants.
    """

    name: str
    value: float
    unit: str
    formula: str


def derived_figures(chip: Chip) -> tuple[Figure, ...]:
    """Return peaks and totals of `chip`, matrix peaks first."""
    pairs = dict.fromkeys((mode.inputs, mode.partials) for mode in chip.amp_modes)
    matrix = "n_tiles * clock_hz * 2 * units * in_channels / cycles_per_row"
    peaks = [
        Figure(f"matrix peak, {inputs} with {partials} partials", chip.peak_flops(inputs, partials), "FLOP/s", matrix)
        for inputs, partials in pairs
    ]
    vector = "n_tiles * clock_hz * 2 * vector width"
    formats = [name for name in STORAGE_FORMATS if name in {mode.inputs for mode in chip.amp_modes}]
    peaks += [Figure(f"vector peak, {name}", vector_flops(chip, name), "FLOP/s", vector) for name in formats]
    return (
        *peaks,
        Figure("SRAM of all tiles", chip.total_sram_bytes, "B", "n_tiles * tile_sram_bytes"),
        Figure("SRAM read rate", chip.sram_read_bytes_per_s, "B/s", "n_tiles * interleaved_load_bytes * clock_hz"),
        Figure("exchange rate", chip.exchange_bytes_per_s, "B/s", "n_tiles * exchange_bytes_per_cycle * clock_hz"),
        Figure(
            "link rate, one direction",
            chip.n_links * chip.link_bytes_per_s * chip.link_efficiency,
            "B/s",
            "n_links * link_bytes_per_s * link_efficiency",
        ),
    )


def vector_flops(chip: Chip, number_format: str) -> float:
    """Return the peak of the vector path in FLOP/s: one multiply-add per element of the data path and cycle."""
    return chip.n_tiles * chip.clock_hz * 2 * chip.vector_width(number_format)
