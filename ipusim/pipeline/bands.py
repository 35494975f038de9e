"""How far off many results may be, taken together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ipusim.pipeline.uncertainty import Uncertainty


@dataclass(slots=True)
class Bands:
    """Counts results by what is known of their error; each is added with :meth:`add`.

    Attributes
    ----------
    n_results : int
        Results with an uncertainty.
    n_validated : int
        Those whose cycles all lie in products that were held against hardware.
    reasons : Counter of str
        Why the others are not among them.
    """

    n_results: int = 0
    n_validated: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    _ranks: Counter[str] = field(default_factory=Counter)
    _mean: float = 0.0
    _worst: float = 0.0

    def add(self, found: Uncertainty) -> None:
        """Count one result."""
        self.n_results += 1
        for rank, reason in enumerate(found["outside"]):
            self.reasons[reason] += 1
            self._ranks[reason] += rank
        if is_validated(found):
            self.n_validated += 1
            self._mean += found["mean_error"]
            self._worst = max(self._worst, found["worst_error"])

    def to_dict(self) -> dict[str, Any]:
        """Return ``mean_error``, the mean of those that are validated, ``worst_error``, the largest, and ``outside``.

        Both errors are None where none is validated; ``outside`` has the reasons of the others, most results first, and
        of as many those first that concern more cycles.
        """
        known = self.n_validated > 0
        return {
            "mean_error": self._mean / self.n_validated if known else None,
            "worst_error": self._worst if known else None,
            "outside": sorted(self.reasons, key=lambda each: (-self.reasons[each], self._ranks[each], each)),
        }


def is_validated(found: Uncertainty) -> bool:
    """Tell whether all cycles of a result lie in products that were held against hardware."""
    return found["mean_error"] is not None and not found["outside"]
