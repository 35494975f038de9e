"""A walk over the finished points of a space that keeps what the answers need, and no more."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.exploration.judging import Judge, Verdict
from ipusim.exploration.space import Space
from ipusim.exploration.statuses import NOT_ALLOWED, OK
from ipusim.exploration.store import Store
from ipusim.exploration.stored import Inspector
from ipusim.pipeline.bands import Bands, is_validated
from ipusim.report.trust import band_text

F64Array = NDArray[np.float64]

_AT_ONCE = 1000


def verdicts(space: Space, store: Store, key: str, start: int = 0, count: int | None = None) -> Iterator[Verdict]:
    """Yield what became of the points of a space from a position on, in the order of the sampler."""
    judge, inspector = Judge(space), Inspector(space, store)
    points = store.points(key, start, count)
    while chunk := list(islice(points, _AT_ONCE)):
        rows = inspector.rows(chunk)
        for point in chunk:
            yield judge.verdict(point, rows)


@dataclass
class Survey:
    """What is known of all points.

    Attributes
    ----------
    counts : Counter of str
        Points by status.
    reasons : Counter of (status, reason)
    positions : list of int
        Points that are allowed and have all objectives.
    values : dict of str to list
        Their parameters.
    figures : list of list of float
        Their objectives, as figures (not as costs).
    without_figures : Counter of str
        Objectives that points lack, because the chip says too little.
    errors : list of float
        How far off products like theirs were where these were measured; NaN without any.
    validated : list of bool
        Whether they lie in the region where the model was held against hardware.
    bands : list of str
        Their error as a table shows it.
    together : Bands
        What is known of the errors of all of them.
    loosened : dict of str to (float, int)
        Constraint on figures to the best first objective among the points that break it first, and its position.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    positions: list[int] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)
    figures: list[list[float]] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    validated: list[bool] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    together: Bands = field(default_factory=Bands)
    without_figures: Counter[str] = field(default_factory=Counter)
    loosened: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add_error(self, found: Mapping[str, Any] | None) -> None:
        """Note how far off a point may be."""
        error = None if found is None else found["kind_error"]
        self.errors.append(float("nan") if error is None else error)
        self.validated.append(found is not None and is_validated(found))
        self.bands.append(sys.intern(band_text(found)))
        if found is not None:
            self.together.add(found)

    def costs(self, space: Space) -> F64Array:
        """Return the objectives as costs: float64 [n, objectives], less is better."""
        signs = np.array([-1.0 if each.descending else 1.0 for each in space.objectives])
        costs: F64Array = np.array(self.figures, dtype=np.float64).reshape(-1, len(signs)) * signs
        return costs


def survey(space: Space, found: Iterator[Verdict]) -> Survey:
    """Return what a walk over `found` tells."""
    result = Survey(values={each.name: [] for each in space.parameters})
    first = space.objectives[0]
    for verdict in found:
        result.counts[verdict.status] += 1
        if verdict.status != OK:
            result.reasons[verdict.status, verdict.reason] += 1
            cost = first.cost(verdict.figures)
            if verdict.status == NOT_ALLOWED and cost is not None:
                known = result.loosened.get(verdict.reason)
                if known is None or cost < known[0]:
                    result.loosened[verdict.reason] = (cost, verdict.point.position)
            continue
        figures = [verdict.figures.get(objective.metric) for objective in space.objectives]
        missing = [each.metric for each, value in zip(space.objectives, figures, strict=True) if value is None]
        if missing:
            result.without_figures.update(missing)
            continue
        result.positions.append(verdict.point.position)
        result.figures.append([float(value) for value in figures if value is not None])
        for name, values in result.values.items():
            values.append(verdict.point.values[name])
        result.add_error(verdict.uncertainty)
    return result
