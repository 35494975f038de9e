"""Which parameters matter: the share of an objective's variance that each of them explains alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_GROUPS = 12
"""A parameter with more values than this is cut into groups of about the same number of points."""

_BINS = 8
_LEAST_IN_BIN = 8


@dataclass(frozen=True, slots=True)
class Effect:
    """What one parameter does to one objective.

    Attributes
    ----------
    parameter : str
    share : float
        Part of the variance that its value explains alone, in [0, 1].
    best, worst : str
        The values (or ranges of values) with the best and the worst mean.
    ratio : float or None
        Mean at the worst value over mean at the best one (turned round where more is better); None where the objective
        is not positive throughout.
    """

    parameter: str
    share: float
    best: str
    worst: str
    ratio: float | None


def effect_of(parameter: str, values: Sequence[Any], objective: F64Array, descending: bool) -> Effect | None:
    """Return the effect of a parameter on an objective; None where either has one value only.

    Points are grouped by the value of the parameter. The share is the variance of the groups' means over the whole
    variance (``1 - within / total``): in a full grid the first-order index of a variance-based analysis. Where groups
    differ in size, as in any sample, what groups of so many points would show by chance is taken off (epsilon squared:
    ``1 - (within / (n - groups)) / (total / (n - 1))``); this is an estimate, and an uneven one where a sampler prefers
    some values. Positive objectives are compared by their logarithms, so that ratios count.

    Parameters
    ----------
    parameter : str
    values : sequence
        Of the parameter, one for each point.
    objective : float64 array [n]
    descending : bool
        Whether more is better.
    """
    group, names = _groups(values)
    is_positive = bool((objective > 0).all())
    level = np.log(objective) if is_positive else objective
    n, k = len(level), len(names)
    total = float(((level - level.mean()) ** 2).sum())
    if k < 2 or total <= 1e-18 * max(1.0, float((level**2).sum())) or n <= k:
        return None
    counts = np.bincount(group, minlength=k)
    means = np.bincount(group, weights=level, minlength=k) / counts
    within = float(((level - means[group]) ** 2).sum())
    is_grid = bool((counts == counts[0]).all())
    share = 1 - within / total * (1.0 if is_grid else (n - 1) / (n - k))
    best, worst = int(means.argmin()), int(means.argmax())
    if descending:
        best, worst = worst, best
    ratio = float(np.exp(abs(means[worst] - means[best]))) if is_positive else None
    return Effect(parameter, min(1.0, max(0.0, share)), names[best], names[worst], ratio)


def _groups(values: Sequence[Any]) -> tuple[IntArray, list[str]]:
    """Return the group of each point and the names of the groups."""
    distinct = list(dict.fromkeys(map(_hashable, values)))
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in distinct)
    if len(distinct) <= min(MOST_GROUPS, len(values) // 2) or not numeric:
        distinct = sorted(distinct) if numeric else distinct
        index = {value: place for place, value in enumerate(distinct)}
        group = np.array([index[_hashable(value)] for value in values], dtype=np.int64)
        return group, [_text(each) for each in distinct]
    numbers = np.array(values, dtype=np.float64)
    n_bins = min(_BINS, max(2, len(numbers) // _LEAST_IN_BIN))
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, n_bins + 1)))
    group = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    used, group = np.unique(group, return_inverse=True)
    members = [numbers[group == place] for place in range(len(used))]
    return group.astype(np.int64), [f"{each.min():.6g} to {each.max():.6g}" for each in members]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
