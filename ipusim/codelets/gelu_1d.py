"""GELU of a run of elements, all workers of a tile together, as measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.nonlinearity_1d import vertex_cycles as published_cycles
from ipusim.codelets.op_constants import ACTIVATIONS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div

GROUP16 = 16
"""16-bit elements that a worker handles in one pass."""

GROUP_SLOTS = 77
"""Worker slots of a pass."""


def vertex_cycles(elements: int, float_type: bool, workers: int) -> int:
    """Return the supervisor cycles of GELU on `elements` elements, 32-bit ones where `float_type` says so.

    Notes
    -----
    Source: measurements of a public third-party kernel on ipu21 (dense reference, section 6.4): 330 cycles, 462 for
    each group of 16 elements of every worker, 120 for each pair of elements that fills no group. 60 of the 330 are the
    chip's overhead of a compute set. The constants of poplibs are marked as unverified there, and are 3.7 times lower.
    For 32-bit elements half as many in a group: an assumption.
    """
    group = GROUP16 // 2 if float_type else GROUP16
    left = ceil_div(elements % group, 2)
    tail = 2 + 20 * left if left else 0
    return workers * (45 + GROUP_SLOTS * ceil_div(elements // group, workers) + tail)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(fields["elements"], settings["dtype"] == "float32", chip.worker_contexts)


def _estimate(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    entry = ACTIVATIONS["gelu"]
    if settings["dtype"] == "float32":
        return published_cycles(fields["elements"], entry.first32, entry.vector32, 2, chip.worker_contexts)
    return published_cycles(fields["elements"], entry.first16, entry.vector16, 4, chip.worker_contexts)


CODELET = Codelet(
    name="gelu_1d",
    fields=("elements",),
    cycles=_cycles,
    source="measured third-party kernel on ipu21",
    estimate=_estimate,
)
