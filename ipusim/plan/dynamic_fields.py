"""The fields of the dynamic sparse vertices of every tile: what their cycle formulas add up.

The same quantities as in :mod:`ipusim.plan.dynamic_vertices`, before they become cycles: counts of sub-groups, and
measures of the pieces that add up over a tile's own pieces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.codelets.registry import codelet
from ipusim.plan.dynamic_executed_grad_w import slowest_slots
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_plan import DynamicPlan
from ipusim.plan.dynamic_vertices import element_wise_slots, widest_worker_columns

IntArray = NDArray[np.int64]
Fields = dict[str, IntArray]


class Step(NamedTuple):
    """Propagation steps that cost the same.

    Attributes
    ----------
    distance : tuple of two int or None
        How many regions of rows and of columns above its own region a bucket is met; None for steps in which no bucket
        meets the region of any of its pieces.
    n_steps : int
        Steps, one after the other.
    fields : dict of str to int64 array [tiles used]
        Of the tiles' vertices in the first of them; in each further step the tiles of a region swap.
    """

    distance: tuple[int, int] | None
    n_steps: int
    fields: Fields


def vertex_codelet(plan: DynamicPlan, transposed: bool) -> str:
    """Return the codelet of the products of a pass."""
    if plan.problem.block_size > 1:
        return "dynamic_block"
    return "dynamic_element_wise_transpose" if transposed else "dynamic_element_wise"


def piece_measures(placement: Placement, transposed: bool) -> Fields:
    """Return what the pieces of a placement add to the fields of the vertex that multiplies them: [pieces] each."""
    if placement.plan.problem.block_size == 1:
        non_zeros = placement.piece_stop - placement.piece_start
        return {"worker_slots": element_wise_slots(placement, transposed), "non_zeros": non_zeros}
    return {"rows": placement.piece_rows, "blocks": placement.piece_stop - placement.piece_start}


def gradient_codelet(plan: DynamicPlan) -> str:
    """Return the codelet of the products of the weight gradient."""
    return "dynamic_block_grad_w" if plan.problem.block_size > 1 else "dynamic_element_wise_grad_w"


def gradient_measures(placement: Placement) -> Fields:
    """Return what the pieces of a placement add to the fields of the vertex of the weight gradient: [pieces] each."""
    none = np.zeros(placement.piece_start.size, np.int64)
    measures = {"worker_slots": none if placement.plan.amp_grad_w else slowest_slots(placement)}
    held = placement.piece_stop - placement.piece_start
    if placement.plan.problem.block_size > 1:
        return measures | {"rows": placement.piece_rows, "blocks": held}
    return measures | {"non_zeros": held}


def gradient_fields(plan: DynamicPlan, fields: Fields) -> Fields:
    """Return the fields of the vertex of the weight gradient from those of any vertex over the same pieces.

    Beside those of the codelet, the non-zeros and columns of element-wise vertices, which only their energy needs.
    """
    known = {**fields, "cols": np.full_like(fields["own_sub_groups"], plan.z)}
    counts = ("non_zeros", "cols") if plan.problem.block_size == 1 else ()
    return {name: known[name] for name in (*codelet(gradient_codelet(plan)).fields, *counts)}


def bucket_fields(placement: Placement, measures: Fields) -> Fields:
    """Return the fields of a vertex that looks through one bucket at home: int64 arrays [tiles used]."""
    plan = placement.plan
    own = placement.piece_bucket // plan.p_n == placement.piece_home // plan.p_n
    others = np.bincount(placement.piece_bucket[~own], minlength=plan.n_tiles_used)
    chosen = {name: values[own] for name, values in measures.items()}
    return _fields(plan, placement.piece_bucket[own], others, chosen)


def distribution_fields(placement: Placement, measures: Fields) -> Fields:
    """Return the fields of each region's tiles over all buckets of the region: int64 arrays [p_m * p_k]."""
    plan = placement.plan
    n_regions = plan.p_m * plan.p_k
    region = placement.piece_bucket // plan.p_n
    own = region == placement.piece_home // plan.p_n
    filled = np.bincount(np.unique(placement.piece_bucket) // plan.p_n, minlength=n_regions)
    others = np.bincount(region[~own], minlength=n_regions) + plan.p_n - filled
    return _fields(plan, region[own], others, {name: values[own] for name, values in measures.items()})


def propagation_steps(placement: Placement, measures: Fields) -> list[Step]:
    """Return the propagation steps in their order.

    In step ``i`` at a distance, tile ``z`` of a region meets bucket ``z + i`` (modulo `p_n`) of the region that far
    below. Steps in which no bucket meets the region of any of its pieces are put together.
    """
    plan = placement.plan
    extent_x, extent_y, extent_z = placement.extent
    if placement.propagation_steps == 0:
        return []
    tiles = plan.n_tiles_used
    in_bucket = np.bincount(placement.piece_bucket, minlength=tiles)
    bucket_x, bucket_y = np.divmod(placement.piece_bucket // plan.p_n, plan.p_k)
    home_x, home_y = np.divmod(placement.piece_home // plan.p_n, plan.p_k)
    away_x, away_y = (home_x - bucket_x) % plan.p_m, (home_y - bucket_y) % plan.p_k
    away = away_x * plan.p_k + away_y
    x, y, z = np.unravel_index(np.arange(tiles), (plan.p_m, plan.p_k, plan.p_n))
    idle = _fields(plan, np.zeros(0, np.int64), np.maximum(in_bucket, 1), dict.fromkeys(measures, away[:0]))
    steps: list[Step] = []
    for distance in range(1, (extent_x - 1) * plan.p_k + extent_y):
        dx, dy = divmod(distance, plan.p_k)
        chosen = np.flatnonzero(away == distance)
        if not chosen.size:
            if steps and steps[-1].distance is None:
                steps[-1] = steps[-1]._replace(n_steps=steps[-1].n_steps + extent_z)
            else:
                steps.append(Step(None, extent_z, idle))
            continue
        met = ((x - dx) % plan.p_m * plan.p_k + (y - dy) % plan.p_k) * plan.p_n + z
        region = home_x[chosen] * plan.p_k + home_y[chosen]
        tile = region * plan.p_n + placement.piece_bucket[chosen] % plan.p_n
        n_own = np.bincount(tile, minlength=tiles)
        others = np.where(n_own > 0, in_bucket[met] - n_own, np.maximum(in_bucket[met], 1))
        fields = _fields(plan, tile, others, {name: values[chosen] for name, values in measures.items()})
        steps.append(Step((dx, dy), extent_z, fields))
    return steps


def _fields(plan: DynamicPlan, place: IntArray, others: IntArray, measures: Fields) -> Fields:
    """Return fields from the place of each own piece, the other sub-groups of each place, and the pieces' measures."""
    size = len(others)
    fields = {"own_sub_groups": np.bincount(place, minlength=size), "other_sub_groups": others}
    for name, values in measures.items():
        fields[name] = np.bincount(place, values, size).astype(np.int64)
    if plan.problem.block_size > 1:
        fields["worker_cols"] = np.full(size, widest_worker_columns(plan), np.int64)
    return fields
