"""How far predictions are from measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

CLEAR = 0.1
"""Speed-ups nearer to 1 than this are on no side of it."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A point with the model's value.

    Attributes
    ----------
    label, series : str
    measured, predicted : float or None
        None where it does not fit in memory.
    """

    label: str
    series: str
    measured: float | None
    predicted: float | None

    @property
    def ratio(self) -> float | None:
        """Predicted over measured; None where one of them did not fit."""
        return self.predicted / self.measured if self.measured and self.predicted else None

    @property
    def misfit(self) -> bool:
        """Whether model and hardware disagree about memory."""
        return (self.measured is None) != (self.predicted is None)


def mean_error(ratios: Sequence[float]) -> float:
    """Return the geometric mean of the error factors (1 or more each), less 1; 0 for none."""
    return math.exp(fmean(abs(math.log(ratio)) for ratio in ratios)) - 1 if ratios else 0.0


def bias(ratios: Sequence[float]) -> float:
    """Return the geometric mean of the ratios, less 1: positive where predictions are too large."""
    return math.exp(fmean(math.log(ratio) for ratio in ratios)) - 1 if ratios else 0.0


def error_factor(ratio: float) -> float:
    """Return by which factor a prediction is off, either way."""
    return max(ratio, 1 / ratio)


def right_side(points: Sequence[Predicted]) -> float | None:
    """Return the share of speed-ups on the right side of 1, of those measured clearly on one; None without any."""
    sides = [
        (point.predicted > 1) == (point.measured > 1)
        for point in points
        if point.measured is not None and point.predicted is not None and abs(point.measured - 1) > CLEAR
    ]
    return fmean(sides) if sides else None
