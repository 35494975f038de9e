"""The Pareto front: points that no other point beats in every objective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


def pareto_front(costs: F64Array) -> IntArray:
    """Return the rows that no other row beats: int64 indices, by the first cost, then the second and so on.

    A row beats another if it is nowhere worse and somewhere better. Of equal rows, the first stands for all.

    Parameters
    ----------
    costs : float64 array [n, k]
        Less is better.
    """
    if not len(costs):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(costs.T[::-1])
    front = np.empty_like(costs)
    kept: list[int] = []
    for index in order:
        row = costs[index]
        if kept and bool((front[: len(kept)] <= row).all(axis=1).any()):
            continue
        front[len(kept)] = row
        kept.append(int(index))
    return np.array(kept, dtype=np.int64)
