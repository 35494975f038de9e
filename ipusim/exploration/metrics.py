"""Figures of a point: which there are, how those of several workloads go together, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipusim.files.wording import FieldError, did_you_mean, join_words

ASCENDING = "asc"
DESCENDING = "desc"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a point.

    Attributes
    ----------
    name : str
    unit : str
    better : str
        ``asc`` where less is better, ``desc`` where more is.
    meaning : str
        How it is made of the figures of the workloads.
    """

    name: str
    unit: str
    better: str
    meaning: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("cycles", "cycles", ASCENDING, "sum over the workloads, by weight"),
        Metric("seconds", "s", ASCENDING, "sum over the workloads, by weight"),
        Metric("cycles_in_compute", "cycles", ASCENDING, "sum over the workloads, by weight"),
        Metric("cycles_in_exchange", "cycles", ASCENDING, "sum over the workloads, by weight"),
        Metric("cycles_in_sync", "cycles", ASCENDING, "sum over the workloads, by weight"),
        Metric("flops", "FLOP", DESCENDING, "useful operations, sum over the workloads, by weight"),
        Metric("tflops", "TFLOP/s", DESCENDING, "useful operations over time"),
        Metric("fraction_of_peak", "", DESCENDING, "time at the peak rate over the time taken"),
        Metric("energy_j", "J", ASCENDING, "sum over the workloads, by weight"),
        Metric("power_w", "W", ASCENDING, "energy over time"),
        Metric("tflops_per_w", "TFLOP/s/W", DESCENDING, "useful operations over energy"),
        Metric("area_mm2", "mm2", ASCENDING, "the die"),
        Metric("tflops_per_mm2", "TFLOP/s/mm2", DESCENDING, "useful rate over the die"),
        Metric("max_tile_bytes", "B", ASCENDING, "on the fullest tile, largest of the workloads"),
        Metric("total_bytes", "B", ASCENDING, "on all tiles, largest of the workloads"),
        Metric("total_sram_bytes", "B", ASCENDING, "what all tiles have"),
    )
}
"""Every figure that can be an objective or stand in a constraint."""

OF_TIME = ("cycles", "seconds", "tflops", "fraction_of_peak", "tflops_per_mm2")
"""Figures that are off by as much as the cycles."""

SUMMED = (
    "cycles",
    "seconds",
    "cycles_in_compute",
    "cycles_in_exchange",
    "cycles_in_sync",
    "flops",
    "energy_j",
    "peak_seconds",
)


@dataclass(frozen=True, slots=True)
class Objective:
    """What to optimise.

    Attributes
    ----------
    metric : str
        One of :data:`METRICS`.
    descending : bool
        Whether more is better.
    """

    metric: str
    descending: bool

    @property
    def text(self) -> str:
        """The objective as in a space file."""
        return f"{self.metric}:{DESCENDING if self.descending else ASCENDING}"

    def cost(self, figures: Mapping[str, float | None]) -> float | None:
        """Return the figure, negated where more is better: less is better then."""
        value = figures.get(self.metric)
        return None if value is None else -value if self.descending else value


def parse_objective(text: str) -> Objective:
    """Return the objective in ``seconds`` or ``tflops:desc``.

    Raises
    ------
    FieldError
        When the figure or the direction is unknown.
    """
    name, separator, direction = (part.strip() for part in text.partition(":"))
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"there are {join_words(METRICS, 'and')}"
        raise FieldError(f"unknown objective {name!r}", hint)
    if separator and direction not in (ASCENDING, DESCENDING):
        raise FieldError(f"a direction is 'asc' or 'desc', found {direction!r}")
    return Objective(name, (direction or METRICS[name].better) == DESCENDING)


def combine(parts: Sequence[tuple[float, Mapping[str, Any]]]) -> dict[str, float | None]:
    """Return the figures of a point.

    Parameters
    ----------
    parts : sequence of (weight, figures)
        One for each workload, as :mod:`ipusim.exploration.evaluation` makes them.
    """
    found: dict[str, float | None] = {name: _weighted(name, parts) for name in SUMMED}
    peak_seconds = found.pop("peak_seconds")
    seconds, flops, energy = found["seconds"], found["flops"], found["energy_j"]
    first = parts[0][1]
    area = first.get("area_mm2")
    tflops = _ratio(flops, seconds, 1e-12)
    return found | {
        "tflops": tflops,
        "fraction_of_peak": _ratio(peak_seconds, seconds),
        "power_w": _ratio(energy, seconds),
        "tflops_per_w": _ratio(flops, energy, 1e-12),
        "area_mm2": area,
        "tflops_per_mm2": _ratio(tflops, area),
        "max_tile_bytes": max(each["max_tile_bytes"] for _, each in parts),
        "total_bytes": max(each["total_bytes"] for _, each in parts),
        "total_sram_bytes": first["total_sram_bytes"],
    }


def _weighted(name: str, parts: Sequence[tuple[float, Mapping[str, Any]]]) -> float | None:
    values = [(weight, figures.get(name)) for weight, figures in parts]
    if any(value is None for _, value in values):
        return None
    if len(values) == 1 and values[0][0] == 1:
        return values[0][1]
    return float(sum(weight * value for weight, value in values if value is not None))


def _ratio(above: float | None, below: float | None, factor: float = 1.0) -> float | None:
    return None if above is None or not below else above / below * factor
