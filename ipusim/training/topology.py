"""Which connections of a layer are dropped and grown, weight by weight or in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DropSchedule:
    """When connections change, and how many of them.

    Attributes
    ----------
    fraction : float
        Share of a layer's connections that the first change replaces (α).
    every : int
        Steps between two changes (ΔT).
    begin, end : int
        Steps between which connections change; after `end` (T_end) they stay.

    Notes
    -----
    The defaults are those of RigL's runs of ResNet-50 (reference/sparse.md section 8.1).
    """

    fraction: float = 0.3
    every: int = 100
    begin: int = 0
    end: int = 25_000

    def is_due(self, step: int) -> bool:
        """Return whether the connections change in a step; never in the first one."""
        return self.begin < step <= self.end and (step - self.begin) % self.every == 0

    def share(self, step: int) -> float:
        """Return the share that a change replaces: ``α / 2 (1 + cos(π t / T))``, RigL's cosine."""
        progress = min(1.0, max(0.0, (step - self.begin) / max(1, self.end - self.begin)))
        return self.fraction / 2.0 * (1.0 + cos(pi * progress))


@dataclass(frozen=True, slots=True)
class PruneSchedule:
    """Gradual magnitude pruning: from dense to sparse along a cubic.

    Attributes
    ----------
    begin, end : int
        Steps between which weights are removed.
    every : int
        Steps between two removals.
    steps : int
        Steps of the whole training.

    Notes
    -----
    The defaults are those of RigL's runs of ResNet-50 (reference/sparse.md section 8.1). Source of the cubic: Zhu and
    Gupta, "To prune, or not to prune", arXiv 1710.01878.
    """

    begin: int = 10_000
    end: int = 25_000
    every: int = 1_000
    steps: int = 32_000

    def is_due(self, step: int) -> bool:
        """Return whether weights are removed in a step: every `every` steps, and in the last one."""
        return step == self.end or (self.begin < step < self.end and (step - self.begin) % self.every == 0)

    def share(self, step: int) -> float:
        """Return which part of the final sparsity has been reached after `step`: ``1 - (1 - t)^3``."""
        if step < self.begin:
            return 0.0
        if step >= self.end:
            return 1.0
        at = (step - self.begin) // self.every * self.every
        return float(1.0 - (1.0 - at / (self.end - self.begin)) ** 3)


def block_scores(values: FloatArray, block_size: int) -> FloatArray:
    """Return the sum of magnitudes of every block: float array [rows / b, cols / b] of an array [rows, cols]."""
    rows, cols = values.shape
    shape = (rows // block_size, block_size, cols // block_size, block_size)
    pooled: FloatArray = np.abs(values).astype(np.float64).reshape(shape).sum(axis=(1, 3))
    return pooled


def change_connections(mask: BoolArray, drop_score: FloatArray, grow_score: FloatArray, share: float) -> BoolArray:
    """Return the mask after dropping and growing equally many connections.

    Parameters
    ----------
    mask : bool array [n, m]
        Connections (or blocks) that exist.
    drop_score : float array [n, m]
        The connections with the smallest are dropped.
    grow_score : float array [n, m]
        Of those that do not exist then, the ones with the largest are grown. One that has just been dropped may come
        back.
    share : float
        Of the connections, how many are replaced: the product rounded down.

    Returns
    -------
    bool array [n, m]
        With as many connections as before.

    Notes
    -----
    Source: the published code of RigL (reference/sparse.md section 8.1). It breaks ties by noise; here the first of
    equals in row-major order is dropped, and grown.
    """
    kept = mask.reshape(-1).copy()
    count = int(share * int(kept.sum()))
    if count == 0:
        return mask.copy()
    alive = np.flatnonzero(kept)
    order = np.argsort(drop_score.reshape(-1)[alive], kind="stable")
    kept[alive[order[:count]]] = False
    free = np.flatnonzero(~kept)
    order = np.argsort(-grow_score.reshape(-1)[free], kind="stable")
    kept[free[order[:count]]] = True
    return kept.reshape(mask.shape)


def prune_connections(mask: BoolArray, score: FloatArray, count: int) -> BoolArray:
    """Return the mask with only the `count` connections of the largest scores, all of which exist already.

    Of equals the first in row-major order is removed.
    """
    kept = mask.reshape(-1).copy()
    alive = np.flatnonzero(kept)
    order = np.argsort(score.reshape(-1)[alive], kind="stable")
    kept[alive[order[: max(0, len(alive) - count)]]] = False
    return kept.reshape(mask.shape)
