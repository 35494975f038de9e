"""``a X + Y`` on runs of elements, in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.registry import Codelet


def vertex_cycles(elements: int, vector_width: int, cycles: int, far_pointers: bool, workers: int) -> int:
    """Return the supervisor cycles of the ScaledAdd1D vertex.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    vector_width : int
        Elements in 64 bits.
    cycles : int
        Worker slots per vector: 3 for operands of one format, 4 for mixed ones.
    far_pointers : bool
        The state of the vertex holds pointers that take longer to unpack.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/PerformanceEstimation.cpp (dense reference, section 3). Vectors that are left over when
    the workers share them are not charged, as in the published estimator.
    """
    remainder = elements % vector_width
    vectors = elements // vector_width // workers
    supervisor = 21 + (6 if far_pointers else 0) + 11 + (13 if remainder else 7) + 12 + 6
    loop = cycles * (vectors - 1) if vectors else 0
    return supervisor + workers * (15 + 6 + loop + 2 + 1 + remainder + 1)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    width = 2 if settings["dtype"] == "float32" else 4
    cycles = 3 if settings.get("addend", settings["dtype"]) == settings["dtype"] else 4
    return vertex_cycles(fields["elements"], width, cycles, False, chip.worker_contexts)


CODELET = Codelet(
    name="scaled_add_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popops ScaledAddSupervisor estimate",
)
