"""The largest elements of rows: each worker keeps a heap, or just the largest, and the heaps are merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets import reduce_max_class_gather
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import ceil_div, ceil_log2
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet

START_SLOTS = 30
"""Slots of a worker before it scans, as of an arg-max."""

SCAN_SLOTS = 3
"""Slots to compare an element with the least of the heap, as of an arg-max."""

LEVEL_SLOTS = 8
"""Slots for each level of a heap that an element sinks through: both children, choice, value and index stored."""


def replacements(elements: int, kept: int) -> int:
    """Return how many elements of a row in random order enter a heap of `kept` after it is full, about.

    The logarithm of ``elements / kept``, by powers of two, times `kept`.
    """
    return kept * ceil_log2(max(1, ceil_div(elements, kept))) * 7 // 10


def worker_cycles(elements: int, kept: int) -> int:
    """Return the worker slots to find the `kept` largest of `elements` in order.

    Assumed: a binary heap is filled, elements larger than its least replace that, and in the end it is emptied.
    """
    sunk = 2 * kept + replacements(elements, kept)
    return START_SLOTS + SCAN_SLOTS * elements + sunk * LEVEL_SLOTS * ceil_log2(kept + 1)


def vertex_cycles(rows: int, elements: int, kept: int, workers: int) -> int:
    """Return the supervisor cycles of `rows` rows of `elements` elements of which `kept` are wanted.

    For one element of each row this is the published arg-max vertex (dense reference, section 3) in two stages, the
    workers' shares and then their results. Else workers share the rows; where that leaves workers idle, or is slower,
    they share each row, and one of them merges what the others have found.
    """
    if kept == 1:
        share = max(1, ceil_div(elements, workers))
        first = reduce_max_class_gather.vertex_cycles(elements, share, workers)
        return rows * (first + reduce_max_class_gather.vertex_cycles(workers, workers, workers))
    whole = ceil_div(rows, workers) * worker_cycles(elements, kept)
    share = max(kept, ceil_div(elements, workers))
    together = rows * (worker_cycles(share, kept) + worker_cycles(ceil_div(elements, share) * kept, kept))
    return 9 + workers * min(whole, together)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(fields["rows"], fields["elements"], int(settings["kept"]), chip.worker_contexts)


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices that compare every element once."""
    compared = int((vertices.fields["rows"] * vertices.fields["elements"]).sum())
    return vector_work(str(vertices.settings["dtype"]), compared, traffic.read_bytes, traffic.written_bytes)


CODELET = Codelet(
    name="heap_top_k",
    fields=("rows", "elements"),
    cycles=_cycles,
    source="assumed: a heap for each worker; for the largest alone poplibs popnn ReduceMaxClassGather",
    work=_work,
)
