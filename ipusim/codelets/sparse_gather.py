"""Gather of single elements by 16-bit indices (values of a bucket in another order)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def gather_cycles(n_indices: int, float_input: bool, workers: int) -> int:
    """Return the cycles of gathering `n_indices` elements (reference/sparse.md section 2.6)."""
    if float_input:
        vectors = n_indices // 2
        per_vector = 3
        slots = 5 + per_vector * (ceil_div(vectors, workers) - 1)
        rest = 5 if n_indices % 2 else 0
    else:
        vectors = n_indices // 4
        per_vector = 5
        slots = 8 + per_vector * (ceil_div(vectors, workers) - 1)
        remainder = n_indices % 4
        rest = 0 if remainder == 0 else 14 if remainder == 3 else 10
    if vectors == 0:
        return 18 + workers * (23 + rest)
    return 18 + workers * (23 + max(slots, slots + rest - per_vector))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return gather_cycles(fields["indices"], settings["inputs"] == "float32", chip.worker_contexts)


CODELET = Codelet(
    name="sparse_gather",
    fields=("indices",),
    cycles=_cycles,
    source="poplibs popsparse SparseGatherElementWise estimate",
)
