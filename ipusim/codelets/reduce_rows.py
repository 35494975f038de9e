"""Reduction of a box along its middle axis, all workers of a tile together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets import reduce_continuous, reduce_strided
from ipusim.codelets.reduce_common import accumulator_width, is_add
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
    strided = workers * min(outer * shared, ceil_div(outer, workers) * alone)
    return min(strided, block_sum_cycles(outer, reduced, inner, float_partials, workers)) if add else strided


BLOCK_SUM_START_SLOTS = 37
"""Worker slots of a block sum beside its groups."""

BLOCK_SUM_GROUP_SLOTS = 11
"""Worker slots of a group of accumulators with its first row, stores included."""


def block_sum_cycles(outer: int, reduced: int, inner: int, float_partials: bool, workers: int) -> int:
    """Return the supervisor cycles to add the rows of `outer` matrices, a group of accumulators at a time.

    Notes
    -----
    Source: measurements of a public third-party kernel on ipu21 (dense reference, section 6.4), sums of 2 to 28 rows of
    16-bit elements: 282 cycles, 60 of which are the chip's overhead of a compute set, and for each group of 8 elements
    11 slots and two 64-bit loads per further row. For 32-bit elements a group of 4: an assumption.
    """
    groups = outer * ceil_div(inner, accumulator_width(float_partials))
    return workers * (
        BLOCK_SUM_START_SLOTS + ceil_div(groups, workers) * (BLOCK_SUM_GROUP_SLOTS + 2 * max(0, reduced - 1))
    )


FINISH_SLOTS = {"scale_shift": 1, "rsqrt": 4, "inverse": 3}
"""Worker slots per result of the functions that a reduction may end with: float32 loops of two elements (dense
reference, section 3)."""


def finish_cycles(outputs: int, functions: tuple[str, ...], workers: int) -> int:
    """Return the supervisor cycles of functions of the results, in the same loop."""
    return workers * ceil_div(outputs, workers) * sum(FINISH_SLOTS[name] for name in functions)


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
    functions = tuple(name for name, _ in settings.get("finish", ()))
    return finish_cycles(fields["outer"] * fields["inner"], functions, chip.worker_contexts) + vertex_cycles(
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
    source="poplibs popops continuous and strided reduction estimates, shared among the workers; measured block sums",
)
