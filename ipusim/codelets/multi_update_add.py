"""Scatter: rows are added, scaled or not, where a list of indices says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.multi_slice import INDEX_BYTES
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet

STORE_BYTES = 4
"""Bytes that are stored at once without reading them first."""


def worker_cycles(in_range: int, out_of_range: int, row_elements: int, element_bytes: int, scaled: bool) -> int:
    """Return the worker slots to add the rows that a worker updates.

    Parameters
    ----------
    in_range, out_of_range : int
        Indices whose row is, and is not, on this tile; each worker reads them all.
    row_elements : int
        Elements of a row that this worker updates.
    element_bytes : int
        2 or 4.
    scaled : bool
        The rows are multiplied by a scalar first.

    Notes
    -----
    Source: poplibs lib/popops/PerformanceEstimation.cpp (dense reference, section 3); the special loops for very
    narrow rows are left out.
    """
    wide = element_bytes == 4
    fixed = 3 + (29 if wide else 30)
    per_row = 11 if wide else 12
    if scaled:
        fixed += 4 if wide else 6
        per_row += 0 if wide else 1
    atoms = max(1, ceil_div(row_elements * element_bytes, STORE_BYTES))
    return fixed + in_range * (per_row + (atoms - 1) * 3) + out_of_range * 5


def vertex_cycles(
    in_range: int, out_of_range: int, row_elements: int, element_bytes: int, scaled: bool, workers: int
) -> int:
    """Return the supervisor cycles when the workers share the elements of each row (`row_elements` of the tile)."""
    share = ceil_div(row_elements, workers)
    return workers * worker_cycles(in_range, out_of_range, share, element_bytes, scaled)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(
        fields["in_range"],
        fields["out_of_range"],
        fields["row_elements"],
        settings["element_bytes"],
        bool(settings.get("scaled", False)),
        chip.worker_contexts,
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    """Return the work of vertices that read every index, and the rows in range together with their sums."""
    fields, dtype = vertices.fields, str(vertices.settings["dtype"])
    added = int((fields["in_range"] * fields["row_elements"]).sum())
    asked = int((fields["in_range"] + fields["out_of_range"]).sum())
    sums = added * int(str(vertices.settings["element_bytes"]))
    return vector_work(dtype, added, 2 * sums + INDEX_BYTES * asked, sums)


CODELET = Codelet(
    name="multi_update_add",
    fields=("in_range", "out_of_range", "row_elements"),
    cycles=_cycles,
    source="poplibs popops MultiUpdateAdd estimate",
    work=_work,
)
