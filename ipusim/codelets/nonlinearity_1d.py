"""Activation function on a run of elements, in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import ACTIVATIONS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import bit_count, ceil_div, floor_log2


def remainder_cycles(elements: int, vector_width: int, first: int) -> int:
    """Return the worker slots for the elements that do not fill a vector.

    Two slots to test for each power of two below the width; the published case of 2208 elements shows them. A piece
    that is there costs a load, the function and a store: an assumption, the reference does not give it.
    """
    return 2 * floor_log2(vector_width) + bit_count(elements % vector_width) * (2 + first)


def vertex_cycles(elements: int, first: int, per_vector: int, vector_width: int, workers: int) -> int:
    """Return the supervisor cycles of the NonLinearity1D vertex.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    first : int
        Worker slots of the function before and after its loop.
    per_vector : int
        Worker slots per 64-bit vector of the loop.
    vector_width : int
        Elements in 64 bits.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popnn/popnnCycleEstimators.cpp (dense reference, section 3).
    """
    vectors = ceil_div(elements // vector_width, workers)
    loop = 2 + first + (vectors - 1) * per_vector + 1 + first if vectors else 0
    return 9 + workers * (20 + loop + remainder_cycles(elements, vector_width, first))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    entry = ACTIVATIONS[settings["op"]]
    if settings["dtype"] == "float32":
        return vertex_cycles(fields["elements"], entry.first32, entry.vector32, 2, chip.worker_contexts)
    return vertex_cycles(fields["elements"], entry.first16, entry.vector16, 4, chip.worker_contexts)


CODELET = Codelet(
    name="nonlinearity_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popnn NonLinearity1D estimate",
)
