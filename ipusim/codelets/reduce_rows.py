"""Reduction of a box along its middle axis, all workers of a tile together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets import reduce_continuous, reduce_strided
from ipusim.codelets.reduce_common import is_add
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def contiguous_cycles(outputs: int, partials: int, float_partials: bool, workers: int) -> int:
    """Return the supervisor cycles to reduce `outputs` runs of `partials` contiguous elements each.

    Workers share the runs. Where there are fewer than workers, each may be cut among several, whose results are
    reduced in their turn.
    """
    if outputs >= workers:
        share = ceil_div(outputs, workers)
        return workers * reduce_continuous.worker_cycles(share, partials, float_partials, False, False)
    whole = workers * reduce_continuous.worker_cycles(1, partials, float_partials, False, False)
    parts = workers // max(1, outputs)
    piece = workers * reduce_continuous.worker_cycles(1, ceil_div(partials, parts), float_partials, False, False)
    return min(whole, piece + workers * reduce_continuous.worker_cycles(1, parts, True, False, False))


def strided_cycles(
    outer: int, reduced: int, inner: int, float_partials: bool, float_out: bool, add: bool, workers: int
) -> int:
    """Return the supervisor cycles to reduce `outer` matrices of `reduced` rows and `inner` columns to a row each.

    Workers share the matrices, or the columns of one after the other, whichever is quicker.
    """
    columns = reduce_strided.worker_outputs(inner, float_out, workers)
    shared = reduce_strided.worker_cycles(
        columns, reduced, inner, 1, float_partials, float_out, False, add, False, False
    )
    alone = reduce_strided.worker_cycles(inner, reduced, inner, 1, float_partials, float_out, False, add, False, False)
    return workers * min(outer * shared, ceil_div(outer, workers) * alone)


def vertex_cycles(
    outer: int, reduced: int, inner: int, float_partials: bool, float_out: bool, add: bool, workers: int
) -> int:
    """Return the supervisor cycles to reduce the middle axis of a box.

    Parameters
    ----------
    outer, reduced, inner : int
        Extents of the box.
    float_partials, float_out : bool
        32-bit rather than 16-bit elements, and results.
    add : bool
        A sum or a sum of squares.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Derived from the published vertices for contiguous and for strided elements (dense reference, section 3.1), shared
    out among the workers as poplibs does.
    """
    if inner == 1:
        return contiguous_cycles(outer, reduced, float_partials, workers)
    return strided_cycles(outer, reduced, inner, float_partials, float_out, add, workers)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return vertex_cycles(
        fields["outer"],
        fields["reduced"],
        fields["inner"],
        settings["partials"] == "float32",
        settings["output"] == "float32",
        is_add(str(settings["op"])),
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="reduce_rows",
    fields=("outer", "reduced", "inner"),
    cycles=_cycles,
    source="poplibs popops continuous and strided reduction estimates, shared among the workers",
)
