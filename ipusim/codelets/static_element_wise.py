"""Vertex of static element-wise sparsity (block size 1): rows of single non-zeros times columns of the dense operand.

One supervisor vertex per tile. Each worker walks over whole rows (two groups of workers share the rows, and halve the
columns, when a tile has very few rows). The columns are processed in chunks of two 64-bit vectors, and every non-zero
costs its slots once per chunk. The time is linear in the worker's rows and non-zeros, so it needs only their counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet

SOURCE = "poplibs lib/popsparse/StaticMatMulPartitioner.cpp, matmulComputeCycles; reference/sparse.md section 1.6"


def static_worker_slots(n_rows: int, n_non_zeros: int, n_cols: int, float_input: bool) -> int:
    """Return the issue slots of one worker.

    Parameters
    ----------
    n_rows, n_non_zeros : int
        Rows of the worker that hold a non-zero, and their non-zeros.
    n_cols : int
        Columns of the dense operand that the worker computes; a multiple of the 64-bit vector (4 half, 2 float).
    float_input : bool
        float32 data rather than float16.

    Returns
    -------
    int
        Slots; a slot of one worker is a cycle of the supervisor times the number of workers.
    """
    further = n_non_zeros - n_rows
    if float_input:
        if n_cols == 2:
            return 29 + 5 * n_rows + 2 * further
        if n_cols == 4:
            return 30 + 6 * n_rows + 3 * further
        chunks = n_cols // 4
        tails = 1 if n_cols % 4 else 0
        return 31 + n_rows * (12 + 10 * chunks + 10 * tails) + further * (3 * chunks + 2 * tails)
    if n_cols == 4:
        return 31 + 7 * n_rows + 2 * further
    if n_cols == 8:
        return 31 + 8 * n_rows + 3 * further
    chunks = n_cols // 8
    tails = 1 if n_cols % 8 else 0
    return 33 + n_rows * (11 + 14 * chunks + 9 * tails) + further * (3 * chunks + 2 * tails)


def static_element_wise_cycles(n_rows: int, n_non_zeros: int, n_cols: int, float_input: bool, workers: int) -> int:
    """Return the supervisor cycles of a vertex whose slowest worker has these rows, non-zeros and columns."""
    return workers * static_worker_slots(n_rows, n_non_zeros, n_cols, float_input)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return static_element_wise_cycles(
        fields["worker_rows"],
        fields["worker_non_zeros"],
        fields["worker_cols"],
        settings["inputs"] == "float32",
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="static_element_wise",
    fields=("worker_rows", "worker_non_zeros", "worker_cols"),
    cycles=_cycles,
    source=SOURCE,
)
