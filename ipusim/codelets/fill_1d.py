"""Setting of a run of elements to one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def worker_cycles(elements: int, float_type: bool) -> int:
    """Return the worker slots to fill `elements` elements of 32 bits (`float_type`) or 16 bits."""
    if float_type:
        return 23 + elements // 2 + elements % 2
    if elements == 1:
        return 15
    return 21 if elements == 2 else 26 + elements // 4


def vertex_cycles(elements: int, float_type: bool, workers: int) -> int:
    """Return the supervisor cycles of the Fill1D vertex, whose workers share `elements` evenly.

    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    return workers * worker_cycles(ceil_div(elements, workers), float_type)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(fields["elements"], settings["dtype"] in ("float32", "int32"), chip.worker_contexts)


CODELET = Codelet(
    name="fill_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops Fill estimate",
)
