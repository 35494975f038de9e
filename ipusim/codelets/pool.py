"""Pooling: the largest element, or the sum, of every window, a vector of channels at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.reduce_common import accumulator_width
from ipusim.codelets.reduce_strided import worker_cycles, worker_outputs
from ipusim.codelets.registry import Codelet


def vertex_cycles(outputs: int, kernel_h: int, kernel_w: int, float_type: bool, add: bool, workers: int) -> int:
    """Return the supervisor cycles of a tile's windows, shared out among the workers.

    Parameters
    ----------
    outputs : int
        Elements of the result on the tile.
    kernel_h, kernel_w : int
        Rows and columns of a window.
    float_type : bool
        32-bit rather than 16-bit elements.
    add : bool
        A mean rather than a maximum.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    No formula of a pooling vertex is published in the references. A window is taken for a strided reduction (dense
    reference, section 3.1) with a group of rows for each row of the window, and channels so laid out that whole
    accumulators are loaded: an assumption.
    """
    width = accumulator_width(float_type)
    share = worker_outputs(outputs, float_type, workers)
    return workers * worker_cycles(share, kernel_w, width, kernel_h, float_type, float_type, False, add, False, False)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(
        fields["outputs"],
        fields["kernel_h"],
        fields["kernel_w"],
        settings["dtype"] == "float32",
        settings["op"] == "avg",
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="pool",
    fields=("outputs", "kernel_h", "kernel_w"),
    cycles=_cycles,
    source="assumed: poplibs popops strided reduction estimate, applied to windows",
)
