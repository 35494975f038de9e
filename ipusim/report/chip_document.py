"""A chip as plain data: every constant with its unit and origin, and the peaks that follow from them."""

from __future__ import annotations

from typing import Any

from ipusim.chip.fields import constant_fields, field_description, field_units
from ipusim.chip.model import Chip
from ipusim.chip.provenance import Provenance, find_provenance
from ipusim.cost.area import area_breakdown
from ipusim.cost.energy import matmul_power_w


def chip_document(chip: Chip) -> dict[str, Any]:
    """Return everything that is known of `chip`.

    Returns
    -------
    dict
        ``name``, ``description``; ``derived``: see :func:`derived_peaks`, :func:`derived_area` and
        :func:`derived_power`; ``constants``: field to ``value`` (None where nothing is known), ``unit``, ``meaning``,
        ``confidence``, ``source``, ``note``, and ``parts``: what of a table has an origin of its own, by its dotted
        path inside the field.
    """
    plain = chip.model_dump(mode="json")
    units = field_units()
    constants = {}
    for name in constant_fields():
        parts = {path: entry for path, entry in chip.provenance.items() if path.startswith(f"{name}.")}
        constants[name] = {
            "value": plain[name],
            "unit": units[name],
            "meaning": field_description(name),
            **_origin(find_provenance(chip.provenance, name)),
            "parts": {path.removeprefix(f"{name}."): _origin(entry) for path, entry in parts.items()},
        }
    return {
        "name": chip.name,
        "description": chip.description,
        "derived": derived_peaks(chip) | derived_area(chip) | derived_power(chip),
        "constants": constants,
    }


def _origin(entry: Provenance | None) -> dict[str, str | None]:
    if entry is None:
        return {"confidence": None, "source": None, "note": ""}
    return {"confidence": entry.confidence, "source": entry.source, "note": entry.note}


def derived_peaks(chip: Chip) -> dict[str, Any]:
    """Return what follows from the constants of `chip`.

    Returns
    -------
    dict
        ``peak_flops``: ``inputs/partials`` to FLOP/s, fastest first; ``total_sram_bytes``; ``exchange_bytes_per_s``
        and ``sram_read_bytes_per_s`` of all tiles together; ``links_bytes_per_s`` of all links, one direction, before
        efficiency.
    """
    pairs = {(mode.inputs, mode.partials) for mode in chip.amp_modes}
    peaks = sorted(((chip.peak_flops(*pair), "/".join(pair)) for pair in pairs), key=lambda item: (-item[0], item[1]))
    return {
        "peak_flops": {pair: peak for peak, pair in peaks},
        "total_sram_bytes": chip.total_sram_bytes,
        "sram_read_bytes_per_s": chip.sram_read_bytes_per_s,
        "exchange_bytes_per_s": chip.exchange_bytes_per_s,
        "links_bytes_per_s": chip.n_links * chip.link_bytes_per_s,
    }


def derived_area(chip: Chip) -> dict[str, Any]:
    """Return ``area_mm2`` of the die and ``area_by_part_mm2``; None where the chip lacks a constant for it."""
    area = area_breakdown(chip)
    if area is None:
        return {"area_mm2": None, "area_by_part_mm2": None}
    return {"area_mm2": area.total, "area_by_part_mm2": area.to_dict()}


def derived_power(chip: Chip) -> dict[str, Any]:
    """Return the power of the AMP at its peak and at half of it, in the formats in which that is most.

    Returns
    -------
    dict
        ``peak_power_w``, ``half_peak_power_w`` and ``peak_power_formats`` (``inputs/partials``); None where the chip
        lacks a constant for it.
    """
    pairs = dict.fromkeys((mode.inputs, mode.partials) for mode in chip.amp_modes)
    found = [(matmul_power_w(chip, *pair), pair) for pair in pairs]
    power, pair = max(((power or 0.0, pair) for power, pair in found), key=lambda item: item[0])
    if any(power is None for power, _ in found):
        return {"peak_power_w": None, "half_peak_power_w": None, "peak_power_formats": None}
    half = matmul_power_w(chip, *pair, fraction_of_peak=0.5)
    return {"peak_power_w": power, "half_peak_power_w": half, "peak_power_formats": "/".join(pair)}
