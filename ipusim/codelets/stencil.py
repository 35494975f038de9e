"""One application of a stencil to the block of a tile, a vector of channels at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet

START_SLOTS = 29
"""Worker slots before the loop: those of a binary operator."""

LOOP_SLOTS = 2
"""Worker slots of the loop itself: its bound and its branch."""

HALF4_SLOTS = 5
"""Further worker slots of a vector of four 16-bit elements, fitted to one measurement (``ipusim validate``)."""


def vector_elements(channels: int, element_bytes: int, vectors: bool) -> int:
    """Return the elements that are computed at once: the largest vector of at most 64 bits that the channels fill."""
    width = 8 // element_bytes if vectors else 1
    while channels % width:
        width //= 2
    return width


def slots_of(taps: int, factors: int, vector: int, float_type: bool) -> int:
    """Return the worker slots of one vector of the result.

    Parameters
    ----------
    taps, factors : int
        Neighbours with a coefficient other than zero, and different coefficients among them: those with the same one
        are added up before they are multiplied.
    vector : int
        Elements of a vector.
    float_type : bool
        32-bit elements.

    Notes
    -----
    Derived: a load for each neighbour, its additions and multiplications, a store and the loop, one slot each. It
    agrees with the codelets of the published Gaussian blur (compiled from C++) on vectors of two floats and on single
    floats; those on four halves take :data:`HALF4_SLOTS` more.
    """
    return 2 * taps - 1 + factors + 1 + LOOP_SLOTS + (HALF4_SLOTS if vector == 4 and not float_type else 0)


def vertex_cycles(lines: int, columns: int, vectors: int, slots: int, workers: int) -> int:
    """Return the supervisor cycles of one application.

    Parameters
    ----------
    lines, columns : int
        Rows of the block, of all its planes, and elements of each without the channels.
    vectors : int
        Vectors of channels of an element.
    slots : int
        Of a vector (:func:`slots_of`).
    workers : int
        Worker contexts of a tile. They share the rows, or the columns where that is quicker.
    """
    share = min(ceil_div(lines, workers) * columns, lines * ceil_div(columns, workers))
    return 11 + workers * (START_SLOTS + share * vectors * slots)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    vector, float_type = int(settings["vector"]), settings["dtype"] == "float32"
    slots = slots_of(int(settings["taps"]), int(settings["factors"]), vector, float_type)
    vectors = ceil_div(int(settings["channels"]), vector)
    return vertex_cycles(fields["lines"], fields["columns"], vectors, slots, chip.worker_contexts)


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of stencils: every neighbour is loaded, added or multiplied."""
    settings: Any = vertices.settings
    elements = int(np.sum(vertices.fields["lines"] * vertices.fields["columns"])) * int(settings["channels"])
    taps, element_bytes = int(settings["taps"]), 4 if settings["dtype"] == "float32" else 2
    flops = (taps - 1 + int(settings["factors"])) * elements
    return vector_work(str(settings["dtype"]), flops, taps * elements * element_bytes, elements * element_bytes)


CODELET = Codelet(
    name="stencil",
    fields=("lines", "columns"),
    cycles=_cycles,
    source="derived from the instructions of the loop; compiled codelets of a published Gaussian blur on a GC2",
    work=_work,
)
