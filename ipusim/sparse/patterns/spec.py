"""What a pattern is asked for, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.sparse.blocks import Blocks

LARGEST_DENOMINATOR = 1 << 20
"""Of a fraction that a float is taken for."""


class PatternError(ValueError):
    """A request that a pattern cannot answer; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PatternRequest:
    """A request for a pattern.

    Attributes
    ----------
    shape : tuple of two int
        Rows and columns in elements; multiples of `block_size`.
    block_size : int
    density : Fraction
        Fraction of the blocks to keep, in (0, 1].
    seed : int
        The same request gives the same pattern on every machine.
    options : Mapping[str, Any]
        Options of the pattern, such as ``{"imbalance": 4}``.
    accelerate : callable
        Applied to the few functions that loop over single elements; ``ipusim.kernels.jit.compiled`` where speed counts.
        The result does not depend on it.
    values : callable or None
        Returns the values of the tensor, float32 array of the shape, for patterns that look at them.
    """

    shape: tuple[int, int]
    block_size: int
    density: Fraction
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    accelerate: Callable[[Any], Any] = lambda function: function
    values: Callable[[], NDArray[np.float32]] | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns in blocks."""
        return self.shape[0] // self.block_size, self.shape[1] // self.block_size

    @property
    def n_blocks(self) -> int:
        """Blocks to keep: the density's share of all blocks, rounded up."""
        return math.ceil(self.density * self.grid[0] * self.grid[1])


@dataclass(frozen=True, slots=True)
class Pattern:
    """A way of choosing blocks.

    Attributes
    ----------
    name : str
        Name of the module that defines it.
    options : tuple of str
        Names of the options it understands.
    build : callable
        Returns the blocks; with data only if the pattern brings its own values.
    """

    name: str
    options: tuple[str, ...]
    build: Callable[[PatternRequest], Blocks]


def density_of(value: float | str | Fraction) -> Fraction:
    """Return a density written as a number or as a fraction like ``1/16``, exactly.

    A float that is the nearest one to a fraction with a small denominator is that fraction: 0.333... is 1/3.

    Raises
    ------
    PatternError
        When it is not a number in (0, 1].
    """
    try:
        density = _simplest(value) if isinstance(value, float) else Fraction(value)
    except (ValueError, ZeroDivisionError, TypeError):
        raise PatternError(f"{value!r} is not a density") from None
    if not 0 < density <= 1:
        raise PatternError(f"density {value} is not in (0, 1]")
    return density


def _simplest(value: float) -> Fraction:
    """Return the fraction with a denominator of at most 2**20 that rounds to `value`, else the shortest decimal."""
    exact = Fraction(repr(value))
    near = exact.limit_denominator(LARGEST_DENOMINATOR)
    return near if float(near) == value else exact


def smallest(keys: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the ascending positions of the `count` smallest keys; of equal keys the first ones count as smaller."""
    if count >= keys.size:
        return np.arange(keys.size)
    limit = np.partition(keys, count - 1)[count - 1]
    below = np.flatnonzero(keys < limit)
    equal = np.flatnonzero(keys == limit)[: count - below.size]
    return np.sort(np.concatenate([below, equal]))


def ascending(chosen: NDArray[np.integer], total: int) -> NDArray[np.int64]:
    """Return different positions below `total` in ascending order (by marking them: faster than sorting many)."""
    marked = np.zeros(total, np.bool_)
    marked[chosen] = True
    return np.flatnonzero(marked)


def imbalance_weights(request: PatternRequest) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much likelier the blocks of each row and of each column are than those of the first one.

    The option ``imbalance`` is the ratio between the densest and the sparsest row (and column): a number >= 1, or
    ``{rows: ratio, cols: ratio}``. The weights grow linearly from the first row to the last.

    Returns
    -------
    tuple of two float32 array [grid rows], [grid columns]
    """
    given = request.options.get("imbalance", 1)
    ratios = given if isinstance(given, Mapping) else {"rows": given, "cols": given}
    unknown = set(ratios) - {"rows", "cols"}
    if unknown:
        raise PatternError(f"imbalance has no {sorted(unknown)[0]!r}; it has rows and cols")
    weights = []
    for axis, extent in zip(("rows", "cols"), request.grid, strict=True):
        ratio = ratios.get(axis, 1)
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 1 <= ratio < math.inf:
            raise PatternError(f"imbalance {ratio!r} of the {axis} is not a number of at least 1")
        steps = np.arange(extent, dtype=np.float64) / max(1, extent - 1)
        weights.append((1 + (ratio - 1) * steps).astype(np.float32))
    return weights[0], weights[1]
