"""What the comparison of one op with its reference found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.engine.bounds import Comparison


@dataclass(frozen=True, slots=True)
class OpCheck:
    """What the comparison of one op found.

    Attributes
    ----------
    op : str
    n_elements, n_checked : int
        Elements of the result, and those that were compared with a finite tolerance.
    passed : bool
        Whether no difference is larger than its tolerance.
    error, tolerance : float
        Largest difference from the reference (infinite if a value is not a number) and the tolerance of that element;
        in an op that has not passed, those of the element that misses its tolerance by the largest factor.
    scale : float
        Largest reference.
    """

    op: str
    n_elements: int
    n_checked: int
    passed: bool
    error: float
    tolerance: float
    scale: float

    @property
    def relative_error(self) -> float:
        """The error relative to the scale of the op's results."""
        return self.error / self.scale if self.scale else self.error

    @property
    def relative_tolerance(self) -> float:
        """The tolerance relative to the scale of the op's results."""
        return self.tolerance / self.scale if self.scale else self.tolerance

    @classmethod
    def of(cls, op: str, n_elements: int, comparisons: list[Comparison]) -> OpCheck:
        """Return what the comparisons of the op called `op` say, of whose results there are `n_elements`."""
        value, reference, tolerance = (
            np.concatenate([getattr(each, field) for each in comparisons])
            for field in ("value", "reference", "tolerance")
        )
        kept = np.isfinite(tolerance) & np.isfinite(reference)
        value, reference, tolerance = value[kept], reference[kept], tolerance[kept]
        with np.errstate(invalid="ignore"):
            error = np.abs(value - reference)
        error[np.isnan(error)] = np.inf
        if len(error) == 0:
            return cls(op, n_elements, 0, True, 0.0, 0.0, 0.0)
        quotient = error / tolerance
        passed = bool(quotient.max() <= 1.0)
        at = int(error.argmax() if passed else quotient.argmax())
        scale = float(np.abs(reference).max())
        return cls(op, n_elements, len(error), passed, float(error[at]), float(tolerance[at]), scale)
