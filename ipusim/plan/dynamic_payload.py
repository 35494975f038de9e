"""What the vertices of a dynamic sparse product share beside their operands: the metadata of the buckets they hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipusim.plan.dynamic_buckets import encode_words
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.sparse_problem import SparseSums

IntArray = NDArray[np.int64]


class Placed(Protocol):
    """The plan of a pass over a dynamic tensor."""

    @property
    def placement(self) -> Placement:
        """Where the non-zeros lie."""

    def sums(self) -> SparseSums:
        """Return how the products are added up."""


@dataclass(frozen=True)
class BucketMetadata:
    """The metadata of all buckets, encoded when values are wanted.

    Attributes
    ----------
    plan : Placed
        A forward pass, a gradient of the dense input or of the weights.
    """

    plan: Placed

    @property
    def placement(self) -> Placement:
        """Where the non-zeros lie."""
        return self.plan.placement

    @cached_property
    def words(self) -> NDArray[np.uint16]:
        """uint16 array [tiles used, words]."""
        return encode_words(self.placement)

    @cached_property
    def travelling(self) -> NDArray[np.bool_]:
        """Whether a bucket holds anything of another region: bool array [tiles used]."""
        p_n = self.placement.plan.p_n
        foreign = self.placement.piece_bucket // p_n != self.placement.piece_home // p_n
        return np.bincount(self.placement.piece_bucket[foreign], minlength=self.placement.plan.n_tiles_used) > 0


@dataclass(frozen=True, slots=True)
class HeldBuckets:
    """Which buckets each vertex of a set looks through.

    Attributes
    ----------
    metadata : BucketMetadata
    distance : tuple of two int or None
        None: all buckets of the tile's region, one after the other. Otherwise, in iteration ``i``, bucket ``z + i``
        (modulo `p_n`) of the region so many rows and columns of regions below, where `z` is the tile's part of the
        batch.
    """

    metadata: BucketMetadata
    distance: tuple[int, int] | None

    def sums(self) -> SparseSums:
        """Return how the products of the whole matmul are added up."""
        return self.metadata.plan.sums()

    def buckets(self, iteration: int) -> tuple[IntArray, IntArray]:
        """Return first and number of the buckets that the vertices look through: int64 arrays [tiles used]."""
        plan = self.metadata.placement.plan
        x, y, z = np.unravel_index(np.arange(plan.n_tiles_used), (plan.p_m, plan.p_k, plan.p_n))
        if self.distance is None:
            return (x * plan.p_k + y) * plan.p_n, np.full(plan.n_tiles_used, plan.p_n, np.int64)
        region = (x - self.distance[0]) % plan.p_m * plan.p_k + (y - self.distance[1]) % plan.p_k
        first = region * plan.p_n + (z + iteration) % plan.p_n
        return first, self.metadata.travelling[first].astype(np.int64)


@dataclass(frozen=True, slots=True)
class MetBuckets:
    """Which bucket each vertex of the weight gradient works on.

    Attributes
    ----------
    metadata : BucketMetadata
    distance : tuple of two int
        How many regions of rows and of columns above the bucket's the tile is.
    turning : bool
        In iteration ``i`` a tile has bucket ``z + i`` (modulo `p_n`), where `z` is its part of the batch; else always
        bucket `z`.
    """

    metadata: BucketMetadata
    distance: tuple[int, int]
    turning: bool

    def sums(self) -> SparseSums:
        """Return how the products of the whole gradient are added up."""
        return self.metadata.plan.sums()

    def buckets(self, iteration: int) -> IntArray:
        """Return the bucket of each vertex: int64 array [tiles used]."""
        plan = self.metadata.placement.plan
        x, y, z = np.unravel_index(np.arange(plan.n_tiles_used), (plan.p_m, plan.p_k, plan.p_n))
        region = (x - self.distance[0]) % plan.p_m * plan.p_k + (y - self.distance[1]) % plan.p_k
        found: IntArray = region * plan.p_n + (z + iteration * self.turning) % plan.p_n
        return found
