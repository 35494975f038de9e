"""Variables that hold a dynamic sparse tensor: the values and the metadata of its buckets."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from ipusim.cost.dynamic_non_zeros import WORD_BYTES
from ipusim.ir.program import Home, TileArray, Variable
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.lower.builder import Builder
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_placing import PatternProblem
from ipusim.plan.dynamic_plan import DynamicPlan

Shape = tuple[int, int, int]


class InBuckets(Protocol):
    """The plan of a pass over a dynamic tensor."""

    @property
    def problem(self) -> PatternProblem:
        """What was planned."""

    @property
    def placement(self) -> Placement:
        """Where the non-zeros lie."""

    def value_index(self) -> IntArray:
        """Return where each place of the buckets is in the tensor, or -1."""


def packed_weight(builder: Builder, plan: InBuckets) -> tuple[Variable, Variable]:
    """Return the variables of a weight's values and metadata in buckets; ops with the same placement share them.

    A weight that is laid out in several ways (for ops with different batches) lies on the chip several times: the host
    writes all of them.
    """
    key = id(plan.placement)
    if key in builder.packed:
        values, metadata = (builder.variables[name] for name in builder.packed[key])
        return values, metadata
    chosen, name = plan.placement.plan, plan.problem.sparse
    shape = values_shape(chosen)
    dtype = builder.graph.tensors[name].dtype
    home = buckets_home(chosen, shape)
    declared = builder.add_variable(f"{name}.buckets", shape, dtype, "tensor", home)
    values = replace(declared, tensor=name, index=plan.value_index)
    builder.variables[values.name] = values
    builder.inputs.setdefault(name, values.name)
    shape = (chosen.p_m * chosen.p_k, chosen.p_n, chosen.bucket_words)
    label = f"{values.name}.metadata"
    metadata = Variable(label, shape, "uint16", "metadata", label, WORD_BYTES, buckets_home(chosen, shape))
    builder.variables[label] = metadata
    builder.packed[key] = (values.name, label)
    return values, metadata


def values_shape(plan: DynamicPlan) -> Shape:
    """Return the shape of the values of all buckets: ``[regions, p_n, elements]``."""
    return plan.p_m * plan.p_k, plan.p_n, plan.bucket_groups * plan.problem.block_size**2


def buckets_home(plan: DynamicPlan, shape: Shape) -> Home:
    """Return the home of a variable ``[regions, p_n, elements]``: every bucket on its tile."""
    region, z = np.divmod(np.arange(plan.n_tiles_used, dtype=np.int64), shape[1])
    return Home(bucket_tiles(plan), one_bucket(shape, region, z))


def bucket_tiles(plan: DynamicPlan) -> TileArray:
    """Return the tile of each bucket, in the order ``(x * p_k + y) * p_n + z``: int32 array [tiles used].

    The library numbers tiles with the rows innermost, then the batch, then the columns of the sparse operand. Source:
    reference/sparse.md section 2.2.
    """
    x, y, z = np.unravel_index(np.arange(plan.n_tiles_used), (plan.p_m, plan.p_k, plan.p_n))
    return ((y * plan.p_n + z) * plan.p_m + x).astype(np.int32)


def one_bucket(shape: Shape, region: IntArray, z: IntArray) -> Regions:
    """Return one bucket of a variable ``[regions, p_n, elements]`` for each tile."""
    return whole_boxes(np.stack([region, region + 1, z, z + 1, 0 * z, 0 * z + shape[2]], axis=1))


def buckets_of(variable: Variable, region: IntArray) -> Regions:
    """Return all buckets of a region, for each tile."""
    _, p_n, size = variable.shape
    zero = np.zeros_like(region)
    return whole_boxes(np.stack([region, region + 1, zero, zero + p_n, zero, zero + size], axis=1))
