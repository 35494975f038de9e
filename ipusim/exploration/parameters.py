"""Parameters of a space: what they change, and the values that they can have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ipusim.exploration.expressions import Expression
from ipusim.exploration.file import RangeEntry

TargetKind: TypeAlias = Literal["chip", "base", "workload"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a parameter changes.

    Attributes
    ----------
    kind : str
        ``chip``: a constant of the chip; ``base``: which chip; ``workload``: a field of workloads.
    parts : tuple of str
        Path of the field.
    label : str
        The workload; empty for all of them.
    """

    kind: TargetKind
    parts: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """A finite number of values.

    Attributes
    ----------
    values : tuple
    """

    values: tuple[Any, ...]

    def at(self, part: float) -> Any:
        """Return the value at a `part` in [0, 1) of the list."""
        return self.values[min(int(part * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers between two.

    Attributes
    ----------
    low, high : float
    log : bool
        Whether equal ratios are equally likely, instead of equal distances.
    """

    low: float
    high: float
    log: bool

    def at(self, part: float) -> float:
        """Return the number at a `part` in [0, 1) of the way from `low` to `high`."""
        if self.log:
            return min(self.high, math.exp(math.log(self.low) + part * (math.log(self.high) - math.log(self.low))))
        return self.low + part * (self.high - self.low)


Domain: TypeAlias = Choices | Interval


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes
    ----------
    name : str
        Its key in the space file.
    target : Target
    domain : Choices or Interval or None
        None for an expression.
    expression : Expression or None
    step : int
        Computed values are rounded down to multiples of it; 0 for a field that takes any number.
    """

    name: str
    target: Target
    domain: Domain | None
    expression: Expression | None
    step: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether its values are taken as they are."""
        return isinstance(self.domain, Choices)


def range_domain(entry: RangeEntry, whole: bool) -> Domain:
    """Return the values of a range; whole numbers, each once, where `whole` is set."""
    low, high = entry.start, entry.to
    if entry.step is not None:
        count = math.floor((high - low) / entry.step * (1 + 1e-12)) + 1
        return Choices(tuple(low + index * entry.step for index in range(count)))
    if entry.points is None:
        return Interval(low, high, entry.log)
    interval = Interval(low, high, entry.log)
    found = [low, *(interval.at(index / (entry.points - 1)) for index in range(1, entry.points - 1)), high]
    return Choices(tuple(dict.fromkeys(round(value) for value in found) if whole else found))


def rounded(value: Any, step: int) -> Any:
    """Return a computed number as a field can have it: a multiple of `step`, rounded down, if that is not 0."""
    if step == 0 or isinstance(value, (bool, str)):
        return value
    return math.floor(value / step * (1 + 1e-12)) * step
