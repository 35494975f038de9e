"""Input-gradient vertex of dynamic element-wise sparsity that reads the buckets of the forward pass.

It scatters into the output, row by row of the forward metadata; the workers divide the non-zeros of a row at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.dynamic_element_wise import executed_cycles, sub_group_cycles
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import scattered_product_work

OWN_CYCLES = 112
"""Supervisor cycles of a sub-group of the tile's own region."""


def transpose_worker_slots(n_rows: int, z: int, n_lists: int, y_sum: int, float_input: bool) -> int:
    """Return the worker slots of the scattering vertex.

    Parameters
    ----------
    n_rows, z : int
        Rows of the forward metadata, and columns of the tile.
    n_lists, y_sum : int
        Number of row lengths in the list, and the sum of ``ceil(length / workers)`` over it.
    float_input : bool
        float32 input rather than float16.

    Returns
    -------
    int
        Issue slots of one worker; source: reference/sparse.md section 2.4.
    """
    if float_input:
        slots = 8 * n_lists
        if z >= 2:
            slots += (2 + z // 2 * 3) * y_sum
        if z & 1:
            slots += 4 * y_sum
        return 23 + n_rows * (24 + slots)
    if z == 8:
        return 20 + n_rows * (18 + 10 * y_sum)
    if z == 4:
        return 20 + n_rows * (21 + 7 * y_sum)
    slots = 8 * n_lists
    if z >= 4:
        slots += (2 + z // 4 * 5) * y_sum
    if z % 4:
        slots += (5 + 3 * (z % 4)) * y_sum
    return 26 + n_rows * (22 + slots)


def transpose_cycles(
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
    """Return the estimated cycles of the scattering vertex."""
    supervisor = sub_group_cycles(30, 44, 68, n_buckets, n_own_buckets, sub_groups_per_bucket)
    return supervisor + workers * transpose_worker_slots(n_rows, z, n_lists, y_sum, float_input)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    counts = (fields["own_sub_groups"], fields["other_sub_groups"], fields["worker_slots"])
    return executed_cycles(*counts, OWN_CYCLES, chip.worker_contexts)


CODELET = Codelet(
    name="dynamic_element_wise_transpose",
    fields=("own_sub_groups", "other_sub_groups", "worker_slots"),
    cycles=_cycles,
    source="poplibs popsparse SparseDenseMatMulElementWiseTranspose estimate",
    work=scattered_product_work,
)
