"""Conversion of a run of elements between floats of 32, 16 and 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import INTEGER_LOOP
from ipusim.codelets.registry import Codelet
from ipusim.codelets.vectors import vector_elements
from ipusim.cost.arithmetic import bit_count, ceil_div, floor_log2


def planner_cast_cycles(elements: int, vector_in: int, vector_out: int, workers: int) -> int:
    """Return the supervisor cycles that the convolution planner books for a cast.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    vector_in, vector_out : int
        Elements of a load or store before and after: of 64 bits, 2 for 32-bit, 4 for 16-bit, 8 for 8-bit floats.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: dense reference, section 2.12. Confidence for 8-bit floats: derived; their vectors have 8 elements, and no
    cast of them was measured.
    """
    share = ceil_div(elements, workers)
    return workers * (max(ceil_div(share, vector_in), ceil_div(share, vector_out)) + 26)


def worker_cycles(elements: int, widening: bool, interleaved: bool) -> int:
    """Return the worker slots to cast `elements` (dense reference, section 3).

    `widening` is 16-bit to 32-bit, two outputs a slot; narrowing writes four outputs in two slots, or in one when the
    input lies in interleaved memory. The remainder takes one slot per possible power of two and two more per needed.
    """
    out = 2 if widening else 4
    slots = 1 if widening or interleaved else 2
    remainder = elements % out
    return 19 + slots * (elements // out) + floor_log2(out) + 2 * bit_count(remainder)


def vertex_cycles(elements: int, widening: bool, interleaved: bool, workers: int) -> int:
    """Return the supervisor cycles of the Cast1D vertex.

    Source: poplibs lib/popops/PerformanceEstimation.cpp (dense reference, section 3).
    """
    return 12 + workers * (worker_cycles(ceil_div(elements, workers), widening, interleaved) + 18)


def whole_number_cycles(elements: int, workers: int) -> int:
    """Return the supervisor cycles to make floats of whole numbers.

    Assumed: the loop of integer operators, which takes one element at a time.
    """
    slots, per_loop = INTEGER_LOOP
    return workers * (ceil_div(ceil_div(elements, workers), per_loop) * slots + 26)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    if settings["input"] == "int32":
        return whole_number_cycles(fields["elements"], chip.worker_contexts)
    vectors = (vector_elements(chip, settings["input"]), vector_elements(chip, settings["output"]))
    return planner_cast_cycles(fields["elements"], *vectors, chip.worker_contexts)


CODELET = Codelet(
    name="cast_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs convolution planner's cast estimate",
)
