"""Whether the best point leads by more than the model may be off, and which others could be as good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.exploration.metrics import OF_TIME, Objective

F64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

_COMPARED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Lead:
    """How many points are as good as the best one, as far as the model can tell.

    Attributes
    ----------
    objective : str
        As in a space file.
    points : int
        Points from the best one on, each of which is behind it by no more than the mean error of the model; 1 where the
        best one leads by more.
    front : int
        How many points of the Pareto front are among them.
    error : float
        The largest of their errors: of such products where they were measured.
    validated : bool
        Whether all of them lie in the region where the model was held against hardware.
    """

    objective: str
    points: int
    front: int
    error: float
    validated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the lead as JSON-ready values."""
        return {name: getattr(self, name) for name in self.__slots__}


def leads(
    objectives: Sequence[Objective], costs: F64Array, errors: F64Array, validated: NDArray[np.bool_], front: IntArray
) -> list[Lead]:
    """Return the lead of the best point in each objective that depends on time and whose error is known.

    Parameters
    ----------
    objectives : sequence of Objective
    costs : float64 array [n, k]
        Of the allowed points; less is better.
    errors : float64 array [n]
        Mean error of the products of each point, where such products were measured; NaN where none was.
    validated : bool array [n]
        Whether a point lies in the region where the model was held against hardware.
    front : int64 array
        Indices of the Pareto front.
    """
    found = []
    on_front = np.zeros(len(costs), dtype=bool)
    on_front[front] = True
    for place, objective in enumerate(objectives):
        if objective.metric not in OF_TIME or not len(costs):
            continue
        order = np.argsort(costs[:, place], kind="stable")
        allowed = np.maximum(errors[order], errors[order[0]])
        best = float(costs[order[0], place])
        if best == 0 or np.isnan(allowed[0]):
            continue
        behind = _behind(costs[order, place], best)
        beyond = np.flatnonzero(~(behind <= allowed))
        near = order[: beyond[0] if len(beyond) else len(order)]
        among = int(on_front[near].sum())
        found.append(
            Lead(objective.text, len(near), among, float(allowed[: len(near)].max()), bool(validated[near].all()))
        )
    return found


def _behind(costs: F64Array, best: float) -> F64Array:
    """Return by how much of the better figure costs (negative where more is better) are behind the best one."""
    if best > 0:
        return costs / best - 1
    with np.errstate(divide="ignore"):
        found: F64Array = np.where(costs < 0, best / costs - 1, np.inf)
    return found


def near_front(objectives: Sequence[Objective], costs: F64Array, errors: F64Array, front: IntArray) -> int:
    """Return how many points off the front would be beaten by none of it, were they better by their error.

    Only objectives that depend on time are taken to be off; parameters as of :func:`leads`.
    """
    of_time = np.array([objective.metric in OF_TIME for objective in objectives])
    others = np.setdiff1d(np.arange(len(costs)), front)
    others = others[~np.isnan(errors[others])]
    if not of_time.any() or not len(others):
        return 0
    factors = np.where(of_time, 1 + errors[others, None], 1.0)
    better = np.where(costs[others] < 0, costs[others] * factors, costs[others] / factors)
    count = 0
    step = max(1, _COMPARED_AT_ONCE // (len(front) * len(objectives)))
    for start in range(0, len(better), step):
        part = better[start : start + step, None, :]
        beaten = np.all(costs[front] <= part, axis=2) & np.any(np.less(costs[front], part), axis=2)
        count += int(np.sum(~np.any(beaten, axis=1)))
    return count
