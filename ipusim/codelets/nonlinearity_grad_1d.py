"""Gradient of an activation function on a run of elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.nonlinearity_1d import remainder_cycles
from ipusim.codelets.op_constants import ACTIVATION_GRADIENTS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def vertex_cycles(elements: int, per_vector: int, vector_width: int, workers: int) -> int:
    """Return the supervisor cycles of the NonLinearityGrad1D vertex.

    Parameters
    ----------
    elements : int
        Elements of the tile.
    per_vector : int
        Worker slots per 64-bit vector.
    vector_width : int
        Elements in 64 bits.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popnn/popnnCycleEstimators.cpp (dense reference, section 3). The elements that do not fill a
    vector are costed as those of the function itself.
    """
    vectors = ceil_div(elements // vector_width, workers)
    loop = 4 + (vectors - 1) * per_vector + 1 if vectors else 0
    return 9 + workers * (20 + loop + remainder_cycles(elements, vector_width, per_vector))


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    per_vector16, per_vector32 = ACTIVATION_GRADIENTS[settings["op"]]
    if settings["dtype"] == "float32":
        return vertex_cycles(fields["elements"], per_vector32, 2, chip.worker_contexts)
    return vertex_cycles(fields["elements"], per_vector16, 4, chip.worker_contexts)


CODELET = Codelet(
    name="nonlinearity_grad_1d",
    fields=("elements",),
    cycles=_cycles,
    source="poplibs popnn NonLinearityGrad1D estimate",
)
