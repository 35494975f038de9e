"""Loss scaling: keeps gradients in the range of a narrow format by multiplying the loss, and so all of them.

The scale is a power of two, so that it rounds nothing. Gradients are divided by it before the weights are updated. A
step whose gradients are not all finite is left out.

Source: Micikevicius et al., "Mixed Precision Training", 2018, section 3.2 and its dynamic rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ipusim.formats.scale import is_scale

LEAST, LARGEST = 2.0**-32, 2.0**31
"""Ends of the range of a scale."""


@dataclass(frozen=True, slots=True)
class LossScale:
    """A loss scale and the rule by which it changes; every step gives a new one.

    Attributes
    ----------
    scale : float
        Power of two from 2**-32 to 2**31.
    growth_interval : int
        Steps without overflow after which the scale doubles; 0 for a static scale, which never changes.
    good_steps : int
        Steps without overflow since it last changed.
    """

    scale: float = 2.0**15
    growth_interval: int = 2000
    good_steps: int = 0

    def __post_init__(self) -> None:
        if not is_scale(self.scale):
            raise ValueError(f"a loss scale is a power of two from 2**-32 to 2**31, not {self.scale:g}")
        if self.growth_interval < 0 or self.good_steps < 0:
            raise ValueError("steps cannot be negative")

    def after_step(self, non_finite: int) -> LossScale:
        """Return the scale of the next step, after one with so many gradients that are not finite.

        A dynamic scale halves at an overflow and doubles after `growth_interval` steps without one.
        """
        if self.growth_interval == 0:
            return self
        if non_finite:
            return replace(self, scale=max(self.scale / 2, LEAST), good_steps=0)
        if self.good_steps + 1 < self.growth_interval:
            return replace(self, good_steps=self.good_steps + 1)
        return replace(self, scale=min(self.scale * 2, LARGEST), good_steps=0)


def count_non_finite(gradients: Iterable[NDArray[np.float32]]) -> int:
    """Return how many elements of some arrays are infinite or not a number: what tells of an overflow."""
    return sum(int(array.size - np.count_nonzero(np.isfinite(array))) for array in gradients)
