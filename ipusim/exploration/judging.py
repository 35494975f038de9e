"""What became of a point: its figures over all workloads, whether it is allowed, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipusim.exploration.metrics import combine
from ipusim.exploration.resolving import Resolver
from ipusim.exploration.samplers.registry import Judged
from ipusim.exploration.space import Space
from ipusim.exploration.statuses import NOT_ALLOWED, OK
from ipusim.exploration.store import Point, Row
from ipusim.pipeline.uncertainty import weighted_uncertainty

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a point.

    Attributes
    ----------
    point : Point
    status : str
        That of the point, or ``constraint``.
    reason : str
    figures : dict of str to float or None
        By the names of :data:`~ipusim.exploration.metrics.METRICS`; empty where nothing could be simulated.
    by_workload : dict of str to dict
        Figures of each workload.
    violation : float
        How far the point is from being allowed; 0 for one that is.
    uncertainty : dict or None
        How far off the cycles may be (see :func:`ipusim.pipeline.uncertainty.uncertainty`), over the workloads by their
        weights; None where nothing could be simulated.
    """

    point: Point
    status: str
    reason: str
    figures: Figures
    by_workload: dict[str, dict[str, Any]]
    violation: float
    uncertainty: dict[str, Any] | None = None

    def energy_by_component(self, space: Space) -> dict[str, float]:
        """Return the energy of a point in joules by component, over the workloads; empty where it is not known."""
        found: dict[str, float] = {}
        for member in space.members:
            parts = self.by_workload.get(member.label, {}).get("energy_by_component") or {}
            for name, energy_j in parts.items():
                found[name] = found.get(name, 0.0) + member.weight * energy_j
        return found if self.figures.get("energy_j") is not None else {}

    def judged(self, space: Space) -> Judged:
        """Return the verdict as samplers see it."""
        costs = [objective.cost(self.figures) for objective in space.objectives]
        if self.status != OK or any(cost is None for cost in costs):
            return Judged(None, max(self.violation, 1e-9))
        return Judged(tuple(cost for cost in costs if cost is not None), 0.0)


class Judge:
    """Judges the points of one space."""

    def __init__(self, space: Space, resolver: Resolver | None = None) -> None:
        self._space = space
        self._resolver = resolver or Resolver(space)

    def verdict(self, point: Point, rows: Mapping[str, Row]) -> Verdict:
        """Return what became of a point.

        Parameters
        ----------
        point : Point
        rows : Mapping of str to row
            Its simulations by key.
        """
        members = self._space.members
        found = [rows[key] for key in point.keys if key in rows]
        if point.status != OK or len(found) < len(members):
            violation = max((row["figures"].get("violation", 0.0) for row in found), default=1.0) or 1.0
            return Verdict(point, point.status, point.reason, {}, {}, violation)
        figures = combine([(member.weight, row["figures"]) for member, row in zip(members, found, strict=True)])
        by_workload = {member.label: row["figures"] for member, row in zip(members, found, strict=True)}
        error = weighted_uncertainty(
            (member.weight * row["figures"]["cycles"], row["figures"]["uncertainty"])
            for member, row in zip(members, found, strict=True)
        )
        broken = None
        if self._space.figure_constraints:
            broken = self._space.broken_by(point.values, self._resolver.chip(point.values), figures)
        if broken is None:
            return Verdict(point, OK, "", figures, by_workload, 0.0, error)
        return Verdict(point, NOT_ALLOWED, f"not {broken.text}", figures, by_workload, 1.0, error)
