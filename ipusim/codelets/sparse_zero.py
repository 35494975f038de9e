"""Zeroing of the partial sums before the dynamic sparse product adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.vectors import vector_elements
from ipusim.codelets.work import moving_work
from ipusim.cost.arithmetic import ceil_div


def zero_estimate_cycles(partials_per_worker: int, workers: int) -> int:
    """Return the planner's cycles of zeroing: one per partial, a quirk that decides between plans.

    Source: reference/sparse.md section 2.4.
    """
    return workers * partials_per_worker


def zero_executed_cycles(n_partials: int, partials_per_vector: int, workers: int) -> int:
    """Return the cycles that zeroing `n_partials` partials takes on a tile: 14 slots and one store per 64 bits.

    Source: reference/MODEL_DYNAMIC.md section 3.
    """
    return workers * (14 + ceil_div(ceil_div(n_partials, workers), partials_per_vector))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    vector = vector_elements(chip, settings["partials"])
    return zero_executed_cycles(fields["partials"], vector, chip.worker_contexts)


CODELET = Codelet(
    name="sparse_zero",
    fields=("partials",),
    cycles=_cycles,
    source="instruction counts of the zeroing loop in the poplibs popsparse assembly",
    work=moving_work,
)
