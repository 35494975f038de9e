"""Elementwise operator of one run of elements, all workers of a tile together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import UNARY_OPS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def vertex_cycles(elements: int, cycles: int, per_loop: int, prologue: int, workers: int) -> int:
    """Return the supervisor cycles of an operator whose loop takes `cycles` slots for `per_loop` elements.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    cycles, per_loop : int
        Worker slots of one pass of the loop, loads and stores included, and the elements it handles.
    prologue : int
        Worker slots beside the loop: 17, 33 for the exponential, 55 in place.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp, UnaryOp1D (dense reference, section 3).
    """
    return 9 + 11 + workers * (prologue + ceil_div(ceil_div(elements, workers), per_loop) * cycles)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    entry, in_place = UNARY_OPS[settings["op"]], bool(settings.get("in_place", False))
    loop = entry.loop(settings["dtype"] == "float32", in_place)
    return vertex_cycles(fields["elements"], *loop, 55 if in_place else entry.prologue, chip.worker_contexts)


CODELET = Codelet(
    name="unary_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops UnaryOp1D estimate",
)
