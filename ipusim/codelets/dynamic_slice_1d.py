"""Copy of slices of a tensor at an offset known at run time, or back into it (dynamic update)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.vectors import vector_elements
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.ir.program import VertexSet


def vertex_cycles(region_elements: int, n_slices: int, vector_width: int, workers: int) -> int:
    """Return the supervisor cycles to copy `n_slices` slices of `region_elements` each.

    Parameters
    ----------
    region_elements : int
        Elements of one slice on this tile; the workers share them.
    n_slices : int
        Slices copied.
    vector_width : int
        Elements of a load or store.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    vectors = ceil_div(region_elements, workers) // vector_width
    return 11 + 14 + workers * (39 + (24 + 2 * vectors) * n_slices)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    width = vector_elements(chip, settings["dtype"])
    return vertex_cycles(fields["region_elements"], fields["n_slices"], width, chip.worker_contexts)


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    dtype = str(vertices.settings["dtype"])
    moved = int((vertices.fields["region_elements"] * vertices.fields["n_slices"]).sum()) * element_bytes(dtype)
    return vector_work(dtype, 0, moved, moved)


CODELET = Codelet(
    name="dynamic_slice_1d",
    fields=("region_elements", "n_slices"),
    cycles=_cycles,
    source="poplibs popops DynamicSlice1D estimate",
    work=_work,
)
