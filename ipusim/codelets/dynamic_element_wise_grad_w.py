"""Weight-gradient vertex of dynamic element-wise sparsity: one dot product over the batch per non-zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import gradient_product_work

CALL_CYCLES = 75
"""Supervisor cycles of a call."""
OWN_CYCLES = 26
"""Of a sub-group of the tile's own region."""


def grad_w_supervisor_cycles(base: int, n_own_buckets: int, sub_groups_per_bucket: int) -> int:
    """Return the supervisor cycles of a weight-gradient vertex (reference/sparse.md sections 2.4 and 2.5)."""
    return base + n_own_buckets * 13 * (sub_groups_per_bucket + 1)


def grad_w_worker_slots(n_rows: int, z: int, y_sum: int, float_input: bool) -> int:
    """Return the worker slots for `n_rows` rows whose lengths sum to `y_sum`, over `z` batch columns.

    Source: reference/sparse.md section 2.4.
    """
    if float_input:
        if z == 4:
            return 30 + n_rows * (9 + 5 * y_sum)
        if z == 2:
            return 32 + n_rows * (7 + 4 * y_sum)
        return 34 + n_rows * (9 + (9 + z // 2 + z % 2) * y_sum)
    if z == 8:
        return 30 + n_rows * (11 + 5 * y_sum)
    if z == 4:
        return 32 + n_rows * (10 + 4 * y_sum)
    per_non_zero = 11 + z // 4 + (3 if z & 2 else 0) + (4 if z & 1 else 0)
    return 35 + n_rows * (8 + per_non_zero * y_sum)


def grad_w_cycles(
    n_own_buckets: int, sub_groups_per_bucket: int, n_rows: int, z: int, y_sum: int, float_input: bool, workers: int
) -> int:
    """Return the estimated cycles of the weight-gradient vertex."""
    supervisor = grad_w_supervisor_cycles(75, n_own_buckets, sub_groups_per_bucket)
    return supervisor + workers * grad_w_worker_slots(n_rows, z, y_sum, float_input)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return CALL_CYCLES + OWN_CYCLES * fields["own_sub_groups"] + int(chip.worker_contexts) * fields["worker_slots"]


CODELET = Codelet(
    name="dynamic_element_wise_grad_w",
    fields=("own_sub_groups", "worker_slots"),
    cycles=_cycles,
    source="poplibs popsparse SparseDenseMatMulGradWElementWise estimate",
    work=gradient_product_work,
)
