"""Index and value of the largest element, each worker for its share (first stage of an arg-max)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet


def vertex_cycles(elements: int, worker_elements: int, workers: int) -> int:
    """Return the supervisor cycles for `elements` elements, at most `worker_elements` (at least 1) to a worker.

    Source: poplibs lib/popnn/popnnCycleEstimators.cpp (dense reference, section 3).
    """
    return 9 + workers * (30 + 3 * (min(worker_elements, elements) - 1))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:  # noqa: ARG001
    return vertex_cycles(fields["elements"], fields["worker_elements"], chip.worker_contexts)


CODELET = Codelet(
    name="reduce_max_class_gather",
    fields=("elements", "worker_elements"),
    cycles=_cycles,
    source="poplibs popnn ReduceMaxClassGather estimate",
)
