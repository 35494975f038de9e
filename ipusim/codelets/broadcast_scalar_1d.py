"""Elementwise operator of a run of elements and one scalar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import BINARY_OPS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def vertex_cycles(elements: int, cycles: int, vector_width: int, assembly: bool, workers: int) -> int:
    """Return the supervisor cycles of the BroadcastScalar1D vertex.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    cycles : int
        Worker slots of the operator per 64-bit vector: 1 to add, subtract or multiply.
    vector_width : int
        Elements in 64 bits.
    assembly : bool
        The operator has a hand-written loop: one slot more per vector, else four.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    vectors = ceil_div(ceil_div(elements, workers), vector_width)
    return 11 + workers * (20 + vectors * (cycles + (1 if assembly else 4)))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    float_type = settings["dtype"] == "float32"
    entry = BINARY_OPS[settings["op"]]
    cycles, per_loop = entry.float32 if float_type else entry.float16
    width = 2 if float_type else 4
    per_vector = ceil_div(width, per_loop) * cycles
    return vertex_cycles(fields["elements"], per_vector, width, entry.access > 0, chip.worker_contexts)


CODELET = Codelet(
    name="broadcast_scalar_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops BroadcastScalar1D estimate",
)
