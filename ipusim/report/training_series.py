"""Trainings as curves: the mean over the seeds of a method, with the least and the most as a band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

Document = Mapping[str, Any]

AXES = ("step", "flops", "cycles", "seconds", "energy_j")
"""What a curve can run against; the mean over the seeds."""

FIGURES = ("accuracy", "loss", "connections_changed", "density")


def runs_of(document: Document) -> list[Document]:
    """Return the trainings of a comparison, or the single one of a training; only those that were executed."""
    runs = document.get("runs", [document])
    return [run for run in runs if run["trained"]]


def by_method(runs: Sequence[Document]) -> dict[str, list[Document]]:
    """Return the trainings of each method, in the order of the first of each."""
    found: dict[str, list[Document]] = {}
    for run in runs:
        found.setdefault(str(run["method"]), []).append(run)
    return found


def method_series(runs: Sequence[Document]) -> dict[str, Any]:
    """Return the curves of the trainings of one method from several seeds.

    Parameters
    ----------
    runs : sequence of Mapping
        With the log of each: a line for every interval, at the same steps.

    Returns
    -------
    dict
        Each of :data:`AXES` to a list with an entry per interval; each of :data:`FIGURES` to ``mean``, ``least`` and
        ``most`` of such lists. What is not known (energy) is None.
    """
    intervals = list(zip(*(run["log"] for run in runs), strict=False))
    found: dict[str, Any] = {name: [_mean([line[name] for line in lines]) for lines in intervals] for name in AXES}
    for name in FIGURES:
        values = [[line[name] for line in lines] for lines in intervals]
        found[name] = {
            "mean": [_mean(each) for each in values],
            "least": [min(each) for each in values],
            "most": [max(each) for each in values],
        }
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
