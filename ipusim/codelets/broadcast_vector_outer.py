"""Elementwise operator of a matrix and a vector that is repeated along its rows or columns (bias, scale)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.op_constants import BINARY_OPS
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def vertex_cycles(
    rows: int, cols: int, cycles: int, vector_width: int, by_column: bool, aligned: bool, workers: int
) -> int:
    """Return the supervisor cycles of the BroadcastVectorOuter vertices.

    Parameters
    ----------
    rows, cols : int
        Of the matrix on the tile.
    cycles : int
        Worker slots of the operator per 64-bit vector: 1 to add, subtract or multiply.
    vector_width : int
        Elements in 64 bits.
    by_column : bool
        The workers share the columns rather than the rows.
    aligned : bool
        Rows are whole 64-bit vectors.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/popops/popopsCycleEstimators.cpp (dense reference, section 3).
    """
    outer = rows if by_column else ceil_div(rows, workers)
    inner = ceil_div(cols, workers) if by_column else cols
    per_row = (7 if aligned else 25) + (cycles + 1) * ceil_div(inner, vector_width)
    return 11 + workers * (15 + outer * per_row)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    float_type = settings["dtype"] == "float32"
    entry = BINARY_OPS[settings["op"]]
    cycles, per_loop = entry.float32 if float_type else entry.float16
    width = 2 if float_type else 4
    return vertex_cycles(
        fields["rows"],
        fields["cols"],
        ceil_div(width, per_loop) * cycles,
        width,
        bool(settings.get("by_column", False)),
        fields["cols"] % width == 0,
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="broadcast_vector_outer",
    fields=("rows", "cols"),
    cycles=_cycles,
    source="poplibs popops BroadcastVectorOuter estimate",
)
