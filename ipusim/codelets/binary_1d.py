"""Elementwise operator of two runs of elements, all workers of a tile together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import BINARY_OPS, INTEGER_LOOP
from ipusim.codelets.registry import Codelet
from ipusim.codelets.vectors import vector_elements
from ipusim.cost.arithmetic import ceil_div


def vertex_cycles(elements: int, cycles: int, per_loop: int, float_type: bool, in_place: bool, workers: int) -> int:
    """Return the supervisor cycles of an operator whose loop takes `cycles` slots for `per_loop` elements.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    cycles, per_loop : int
        Worker slots of one pass of the loop, loads and stores included, and the elements it handles.
    float_type : bool
        32-bit elements (floats or integers) rather than 16-bit.
    in_place : bool
        The result replaces the first operand.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp, BinaryOp1D (dense reference, section 3).
    """
    overhead = 58 if in_place else 29 if float_type else 26
    return 11 + workers * (overhead + ceil_div(ceil_div(elements, workers), per_loop) * cycles)


def add_cycles(elements: int, vector_width: int, float_type: bool, in_place: bool, workers: int) -> int:
    """Return the supervisor cycles to add, subtract or multiply: three slots per 64-bit vector.

    Parameters as in :func:`vertex_cycles`; `vector_width` is the number of elements in 64 bits.
    """
    return vertex_cycles(elements, 3, vector_width, float_type, in_place, workers)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    dtype, in_place = settings["dtype"], bool(settings.get("in_place", False))
    float_type = dtype in ("float32", "int32")
    loop = INTEGER_LOOP if dtype == "int32" else BINARY_OPS[settings["op"]].loop(float_type, in_place)
    if dtype != "int32" and BINARY_OPS[settings["op"]].access:
        loop = (loop[0], vector_elements(chip, dtype))
    return vertex_cycles(fields["elements"], *loop, float_type, in_place, chip.worker_contexts)


CODELET = Codelet(
    name="binary_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops BinaryOp1D estimate",
)
