"""Numbers of a model in the formats that operators compute in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.formats import number_format

MASKED = 10000.0
"""Magnitude of what stands for infinity, as masks add it to scores: the exponential of its opposite is zero."""

_BEYOND_ALL = 1e30
_BEYOND_NARROW = 1e8


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return an array of any element type as C-contiguous float32."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def finite(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """Return values with 10,000 or -10,000 for those that stand for infinity.

    Models hide elements by adding infinity, the smallest number of their format, or -1e9. These are numbers of more
    than 1e30; of more than 1e8 in a format that does not hold them.
    """
    limit = min(_BEYOND_ALL, max(_BEYOND_NARROW, number_format(dtype).max))
    beyond = np.abs(values) > limit
    return np.where(beyond, np.copysign(np.float32(MASKED), values), values) if beyond.any() else values
