"""Forward vertex of dynamic element-wise sparsity: rows of non-zeros times the columns of the dense operand.

The same shapes, with other constants, hold for the gradient of the dense input when it has buckets of its own. A vertex
walks over all sub-groups of all its buckets, skips the ones of other tiles and multiplies its own. The formulas are the
published planner's estimates; what the assembly really repeats per batch chunk is in :func:`chunked_worker_slots`.

Lists of row lengths enter as their count and their sum, because every term is linear in the row length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import scattered_product_work
from ipusim.cost.sparse_units import gathered_slots

CALL_CYCLES = 30
"""Supervisor cycles of a call of the executed vertex."""
SCAN_CYCLES = 32
"""Of a sub-group of another region, or of the end of an empty bucket."""
OWN_CYCLES = 93
"""Of a sub-group of the tile's own region."""


def sub_group_cycles(
    base: int, own_scan: int, own: int, n_buckets: int, n_own_buckets: int, sub_groups_per_bucket: int
) -> int:
    """Return the supervisor cycles of looking for one's own sub-groups in all buckets.

    Parameters
    ----------
    base, own_scan, own : int
        Cycles per call, per sub-group looked at in a bucket with an own sub-group, and per own sub-group.
    n_buckets, n_own_buckets : int
        Buckets on the tile, and those that hold the tile's own sub-group.
    sub_groups_per_bucket : int
        Average number of sub-groups in a bucket; half of the others precede the own one.

    Returns
    -------
    int
        Cycles; source: reference/sparse.md section 2.4.
    """
    foreign = 32 * (n_buckets - n_own_buckets) * sub_groups_per_bucket
    return base + foreign + n_own_buckets * (own_scan * (sub_groups_per_bucket + 1) // 2 + own)


def forward_worker_slots(
    n_rows: int, z: int, n_lists: int, y_sum: int, float_input: bool, gather_elements: int = 0
) -> int:
    """Return the worker slots of the forward vertex for `n_rows` rows of `z` columns.

    Parameters
    ----------
    n_rows, z : int
        Rows of the worker, and columns of the dense operand on the worker.
    n_lists, y_sum : int
        Number and sum of the row lengths assumed; `n_rows` counts repetitions of the whole list.
    float_input : bool
        float32 input (vectors of 2) rather than float16 (vectors of 4).
    gather_elements : int
        Elements that the gather units of a tile multiply per cycle; 0 without them.

    Returns
    -------
    int
        Issue slots of one worker; source: reference/sparse.md section 2.4.
    """
    loop = y_sum * non_zero_slots(z, float_input)
    saved = n_rows * (loop - gathered_slots(loop, y_sum * z, gather_elements))
    if float_input:
        if z == 4:
            return 25 + n_rows * (13 + 3 * y_sum) - saved
        if z == 2:
            return 27 + n_rows * (11 + 2 * y_sum) - saved
        return 30 + n_rows * (13 + _float_chunks(z, n_lists, y_sum, 12)) - saved
    if z == 8:
        return 28 + n_rows * (15 + 3 * y_sum) - saved
    if z == 4:
        return 30 + n_rows * (11 + 2 * y_sum) - saved
    return 33 + n_rows * (12 + _half_chunks(z, n_lists, y_sum, 16, 11)) - saved


def non_zero_slots(z: int, float_input: bool) -> int:
    """Return the estimated slots of the inner loop of the forward vertex for each non-zero, over `z` columns."""
    if float_input:
        whole = z // 4 * 3 if z >= 4 else 0
        return whole + (z // 2 * 2 if z & 2 else 0) + (2 if z & 1 else 0)
    return z // 8 * 3 + (2 if z & 4 else 0) + 2 * (z % 4)


def grad_a_worker_slots(n_rows: int, z: int, n_lists: int, y_sum: int, float_input: bool) -> int:
    """Return the worker slots of the input-gradient vertex with buckets of its own.

    Parameters and source as in :func:`forward_worker_slots`.
    """
    if float_input:
        if z == 4:
            return 23 + n_rows * (13 + 3 * y_sum)
        if z == 2:
            return 25 + n_rows * (11 + 2 * y_sum)
        return 33 + n_rows * (13 + _float_chunks(z, n_lists, y_sum, 10))
    if z == 8:
        return 26 + n_rows * (15 + 3 * y_sum)
    if z == 4:
        return 28 + n_rows * (11 + 2 * y_sum)
    return 32 + n_rows * (11 + _half_chunks(z, n_lists, y_sum, 14, 10))


def chunked_worker_slots(n_rows: int, z: int, n_non_zeros: int, float_input: bool, gather_elements: int = 0) -> int:
    """Return the slots that a worker of the forward vertex really takes: loop set-up for each chunk of the batch.

    Parameters
    ----------
    n_rows, z : int
        Rows of the worker; its columns, whole vectors.
    n_non_zeros : int
        Non-zeros in all these rows.
    float_input : bool
        Chunks of 4 columns (float32) rather than 8 (float16).
    gather_elements : int
        Elements that the gather units of a tile multiply per cycle; 0 without them.

    Notes
    -----
    Source: instruction counts of the published assembly (reference/MODEL_DYNAMIC.md, section 2, item 4). The estimate
    above charges the set-up once for each row.
    """
    if float_input:
        rest = 1 if z & 2 else 0
        loop = gathered_slots(n_non_zeros * (z // 4 * 3 + rest * 2), n_non_zeros * z, gather_elements)
        if z == 4:
            return 25 + 13 * n_rows + loop
        if z == 2:
            return 27 + 11 * n_rows + loop
        return 30 + n_rows * (13 + z // 4 * 12 + rest * 12) + loop
    rest = 1 if z & 4 else 0
    loop = gathered_slots(n_non_zeros * (z // 8 * 3 + rest * 2), n_non_zeros * z, gather_elements)
    if z == 8:
        return 28 + 15 * n_rows + loop
    if z == 4:
        return 30 + 11 * n_rows + loop
    return 33 + n_rows * (13 + z // 8 * 17 + rest * 15) + loop


def _float_chunks(z: int, n_lists: int, y_sum: int, head: int) -> int:
    slots = (3 if z % 4 else 1) * n_lists
    if z >= 4:
        slots += head * n_lists + z // 4 * 3 * y_sum
    if z & 2:
        slots += 8 * n_lists + z // 2 * 2 * y_sum
    if z & 1:
        slots += 8 * n_lists + 2 * y_sum
    return slots


def _half_chunks(z: int, n_lists: int, y_sum: int, head: int, tail: int) -> int:
    slots = 0
    if z >= 8:
        slots += head * n_lists + z // 8 * 3 * y_sum
    if z & 4:
        slots += 13 * n_lists + 2 * y_sum
    if z % 4:
        slots += tail * n_lists + 2 * y_sum * (z % 4)
    return slots


def forward_cycles(
    n_buckets: int,
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    z: int,
    n_lists: int,
    y_sum: int,
    float_input: bool,
    workers: int,
    gather_elements: int = 0,
) -> int:
    """Return the estimated cycles of the forward vertex (all parameters as in the functions it adds up)."""
    supervisor = sub_group_cycles(30, 47, 46, n_buckets, n_own_buckets, sub_groups_per_bucket)
    return supervisor + workers * forward_worker_slots(n_rows, z, n_lists, y_sum, float_input, gather_elements)


def grad_a_cycles(
    n_buckets: int,
    n_own_buckets: int,
    sub_groups_per_bucket: int,
    n_rows: int,
    z: int,
    n_lists: int,
    y_sum: int,
    float_input: bool,
    workers: int,
) -> int:
    """Return the estimated cycles of the input-gradient vertex with buckets of its own."""
    supervisor = sub_group_cycles(30, 46, 46, n_buckets, n_own_buckets, sub_groups_per_bucket)
    return supervisor + workers * grad_a_worker_slots(n_rows, z, n_lists, y_sum, float_input)


def executed_cycles(own_sub_groups: int, other_sub_groups: int, worker_slots: int, own: int, workers: int) -> int:
    """Return the cycles of an element-wise vertex over the sub-groups of its buckets.

    Parameters
    ----------
    own_sub_groups, other_sub_groups : int
        Sub-groups of the tile's region; sub-groups of others, and empty buckets.
    worker_slots : int
        Slots of the slowest worker, summed over the own sub-groups.
    own : int
        Supervisor cycles of an own sub-group.
    workers : int
        Worker contexts of the tile.
    """
    return CALL_CYCLES + own * own_sub_groups + SCAN_CYCLES * other_sub_groups + workers * worker_slots


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    counts = (fields["own_sub_groups"], fields["other_sub_groups"], fields["worker_slots"])
    return executed_cycles(*counts, OWN_CYCLES, chip.worker_contexts)


CODELET = Codelet(
    name="dynamic_element_wise",
    fields=("own_sub_groups", "other_sub_groups", "worker_slots"),
    cycles=_cycles,
    source="poplibs popsparse SparseDenseMatMulElementWise, estimate and instruction counts",
    work=scattered_product_work,
)
