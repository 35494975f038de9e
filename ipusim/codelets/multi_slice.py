"""Gather: copy of the rows that a list of indices names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet

INDEX_BYTES = 4


def worker_cycles(in_range: int, out_of_range: int, row_elements: int, element_bytes: int, update: bool) -> int:
    """Return the worker slots to look up the indices of one worker.

    Parameters
    ----------
    in_range, out_of_range : int
        Indices of the worker whose row is, and is not, on this tile.
    row_elements : int
        Elements of a row on the tile.
    element_bytes : int
        1, 2 or 4.
    update : bool
        Rows are written rather than read.

    Notes
    -----
    Source: poplibs lib/popops/PerformanceEstimation.cpp (dense reference, section 3).
    """
    copy = 3 * ceil_div(row_elements, 4) if element_bytes == 1 else 2 * ceil_div(row_elements, 2)
    return (29 if update else 30) + in_range * (19 + copy) + out_of_range * 8


def vertex_cycles(
    in_range: int, out_of_range: int, row_elements: int, element_bytes: int, update: bool, workers: int
) -> int:
    """Return the supervisor cycles when the workers share the indices evenly (parameters of the whole tile)."""
    shares = (ceil_div(in_range, workers), ceil_div(out_of_range, workers))
    return workers * worker_cycles(shares[0], shares[1], row_elements, element_bytes, update)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(
        fields["in_range"],
        fields["out_of_range"],
        fields["row_elements"],
        settings["element_bytes"],
        bool(settings.get("update", False)),
        chip.worker_contexts,
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices that read every index, and read and write the rows in range."""
    fields, size = vertices.fields, int(str(vertices.settings["element_bytes"]))
    copied = int((fields["in_range"] * fields["row_elements"]).sum()) * size
    asked = int((fields["in_range"] + fields["out_of_range"]).sum())
    return Work(read_bytes=copied + INDEX_BYTES * asked, written_bytes=copied)


CODELET = Codelet(
    name="multi_slice",
    fields=("in_range", "out_of_range", "row_elements"),
    cycles=_cycles,
    source="poplibs popops MultiSlice estimate",
    work=_work,
)
