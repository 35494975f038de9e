"""Vertex that adds up partial sums of rows with the same number of sources: a worker's share of one group on a tile.

Every group of rows has its own vertices, and all groups share a compute set, so that the workers of a tile take turns
with vertices of very different lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, vector_work
from ipusim.cost.energy import Work
from ipusim.cost.grouped_reduction import strided_slots
from ipusim.ir.program import VertexSet


def grouped_reduce_cycles(n_outputs: int, n_partials: int, float_partials: bool, workers: int) -> int:
    """Return the supervisor cycles of a vertex, which runs on one worker.

    Parameters
    ----------
    n_outputs : int
        Outputs of the vertex; none takes no time.
    n_partials : int
        Partial sums of each output.
    float_partials : bool
        float32 partial sums rather than float16.
    workers : int
        Worker contexts of the tile; each gets a slot in turn.
    """
    return workers * strided_slots(n_outputs, n_partials, float_partials) if n_outputs else 0


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return grouped_reduce_cycles(
        fields["outputs"], fields["partials"], settings["partials"] == "float32", chip.worker_contexts
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    partials = str(vertices.settings["partials"])
    outputs = int(vertices.fields["outputs"].sum())
    added = int((vertices.fields["outputs"] * vertices.fields["partials"]).sum())
    return vector_work(partials, added - outputs, added * element_bytes(partials), outputs * element_bytes(partials))


CODELET = Codelet(
    name="grouped_reduce",
    fields=("outputs", "partials"),
    cycles=_cycles,
    source="poplibs lib/popops/reduction/CycleEstimationFunctions.cpp; reference/MODEL_STATIC_MECHANISMS.md items 1-4",
    one_worker=True,
    work=_work,
)
