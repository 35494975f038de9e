"""What every result rests on and leaves out, to be said with it."""

from __future__ import annotations

from typing import Any

from ipusim.chip.model import Chip

NOT_MODELLED = (
    "host transfers",
    "compute overlapping with exchange",
    "bank conflicts inside a tile",
    "exchange routes (only bandwidth, distance and control)",
)


def assumed_constants(chip: Chip) -> int:
    """Return the number of constants of a chip whose value is assumed."""
    return sum(entry.confidence == "assumed" for entry in chip.provenance.values())


def limits(chip: Chip) -> dict[str, Any]:
    """Return ``assumed_constants`` and ``not_modelled`` of results on a chip."""
    return {"assumed_constants": assumed_constants(chip), "not_modelled": list(NOT_MODELLED)}
