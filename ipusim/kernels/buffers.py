"""Arrays that are taken for a while and given back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

LINE_ELEMENTS = 16
"""Elements of a cache line, on which every array starts."""


class Buffers:
    """Room for values.

    Parameters
    ----------
    reused : bool
        What is given back is kept for those who want as many elements; else it is forgotten.
    """

    def __init__(self, reused: bool = False) -> None:
        self._reused = reused
        self._free: dict[int, list[F32Array]] = {}

    def take(self, n_elements: int) -> F32Array:
        """Return a float32 array [n_elements] that starts on a cache line and may hold anything."""
        free = self._free.get(n_elements)
        return free.pop() if free else aligned(n_elements)

    def give(self, array: F32Array) -> None:
        """Give back an array that :meth:`take` returned and that nobody uses until it is taken again."""
        if self._reused:
            self._free.setdefault(len(array), []).append(array)


def aligned(n_elements: int) -> F32Array:
    """Return an uninitialised float32 array [n_elements] that starts on a cache line."""
    raw = np.empty(n_elements + LINE_ELEMENTS, dtype=np.float32)
    start = -raw.ctypes.data % (4 * LINE_ELEMENTS) // 4
    return raw[start : start + n_elements]
