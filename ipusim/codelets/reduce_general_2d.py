"""Reduction of regions of any shape, by one worker: the fall-back of the other reductions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.codelets.reduce_common import accumulator_width, is_add, load_width, vector_width
from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div, floor_log2


def _piece_cycles(
    width: int, regions: int, rows: int, load: int, out_width: int, add: bool, update: bool, whole: bool
) -> int:
    accumulate = 1 if add else 0
    fixed = (3 if whole else 1) + 2 * accumulate
    store = (3 if update else 2) * min(width, out_width) + accumulate
    per_row = (2 * accumulate if whole else 0) + 2 + ceil_div(width, load) + 3
    return fixed + store + 1 + regions * 10 + rows * per_row


def output_cycles(
    width: int,
    regions: int,
    rows: int,
    float_partials: bool,
    float_out: bool,
    interleaved: bool,
    add: bool,
    update: bool,
) -> int:
    """Return the worker slots to produce one output region.

    Parameters
    ----------
    width : int
        Elements of the output region.
    regions : int
        Regions of partials that are reduced into it.
    rows : int
        Rows of `width` elements in all those regions.
    float_partials, float_out : bool
        32-bit rather than 16-bit.
    interleaved : bool
        Partials in interleaved memory.
    add : bool
        A sum or sum of squares, which runs on the accumulators.
    update : bool
        The result is combined with the old value.

    Notes
    -----
    Source: poplibs lib/popops/reduction/CycleEstimationFunctions.cpp (dense reference, section 3.1). What does not
    fill the accumulators is done in pieces of powers of two; their slots follow from the published vectors.
    """
    step = accumulator_width(float_partials) if add else vector_width(float_partials)
    load = load_width(step, float_partials, interleaved)
    out_width = vector_width(float_out)
    steps = floor_log2(step)
    total = 24 + 2 * steps
    total += width // step * _piece_cycles(step, regions, rows, load, out_width, add, update, True)
    for exponent in range(steps):
        if width >> exponent & 1:
            total += _piece_cycles(1 << exponent, regions, rows, load, out_width, add, update, False)
    return total


def worker_cycles(outputs_cycles: int) -> int:
    """Return the worker slots of a vertex, given the sum of :func:`output_cycles` over its outputs."""
    return 33 + outputs_cycles


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    one = output_cycles(
        fields["width"],
        fields["regions"],
        fields["rows"],
        settings["partials"] == "float32",
        settings["output"] == "float32",
        bool(settings.get("interleaved", False)),
        is_add(str(settings["op"])),
        bool(settings.get("update", False)),
    )
    return int(chip.worker_contexts) * worker_cycles(fields["outputs"] * one)


CODELET = Codelet(
    name="reduce_general_2d",
    fields=("outputs", "width", "regions", "rows"),
    cycles=_cycles,
    source="poplibs popops general 2-D reduction estimate",
    one_worker=True,
)
