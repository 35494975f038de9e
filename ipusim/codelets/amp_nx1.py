"""Convolution on the AMP units with a kernel wider than one element, or with few input channels.

A kernel of `filter_height` rows is loaded at once in place of a full set of input channels. Every worker runs a list of
row pieces (items) for each kernel position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import amp_work
from ipusim.cost.arithmetic import ceil_div, loop_cycles
from ipusim.cost.worker_split import field_pieces


def item_cycles(rows: int, units: int, float_inputs: bool, float_partials: bool) -> int:
    """Return the worker slots of one item of `rows` field elements (dense reference, section 2.6)."""
    extra = 1 if (units == 8) == float_partials else 0
    if rows == 0:
        return 3 + 17 - 9
    if rows == 1:
        return 3 + (33 if float_inputs else 29) - 9
    if rows == 2:
        return 3 + (44 if float_inputs else 33 + extra) - 9
    return 3 + (45 + 8 * (rows - 3) if float_inputs else 34 + 4 * (rows - 3)) - 9


def worker_cycles(items: Sequence[int], units: int, float_inputs: bool, float_partials: bool) -> int:
    """Return the slots of a worker that runs the row pieces `items` at one kernel position."""
    return (17 if float_partials else 18) + sum(item_cycles(n, units, float_inputs, float_partials) for n in items)


def field_slots(
    lines: int, width: int, units: int, float_inputs: bool, float_partials: bool, workers: int
) -> tuple[int, int]:
    """Return the slots of the busiest and of the idlest worker for a field of `lines` rows of `width` elements.

    The idlest takes 0 where a worker has nothing to do.
    """
    slowest, quickest = 0, 1 << 62
    for worker in range(workers):
        first, whole, last = field_pieces(worker, workers, lines, width)
        slots = 0
        if first:
            slots = (17 if float_partials else 18) + item_cycles(first, units, float_inputs, float_partials)
            slots += whole * item_cycles(width, units, float_inputs, float_partials) if whole else 0
            slots += item_cycles(last, units, float_inputs, float_partials) if last else 0
        slowest = max(slowest, slots)
        quickest = min(quickest, slots)
    return slowest, quickest


def kernel_load_cycles(filter_height: int) -> int:
    """Return the supervisor cycles to set up a filter of so many rows, beside its coefficients."""
    if filter_height == 1:
        return 15
    if filter_height == 2:
        return 46
    return 60 if filter_height == 4 else 20 * filter_height


def position_cycles(slowest: int, quickest: int, workers: int) -> int:
    """Return the supervisor cycles of one kernel position whose workers take from `quickest` to `slowest` slots."""
    return max(workers * slowest, workers * quickest + 9)


def zero_cycles(field_elements: int, out_channels: int, out_groups: int, conv_groups: int, workers: int) -> int:
    """Return the supervisor cycles to clear the partials of a convolution vertex that only accumulates.

    Parameters
    ----------
    field_elements : int
        Output field elements of the tile, all images of the batch.
    out_channels : int
        Output channels per group.
    out_groups, conv_groups : int
        Groups of output channels and of convolutions.

    Notes
    -----
    Source: dense reference, section 2.6. The published planner takes the 32-bit path whatever the format.
    """
    vectors = ceil_div(ceil_div(field_elements * out_channels, workers), 2)
    return workers * out_groups * conv_groups * (vectors + 14 - 9)


def vertex_cycles(
    slowest: int,
    quickest: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    passes: int,
    load_cycles: int,
    filter_height: int,
    kernel_inner: int,
    kernel_outer: int,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex, clearing of its outputs not included.

    Parameters
    ----------
    slowest, quickest : int
        Slots of the busiest and of the idlest worker at one kernel position; 0 when a worker has no list at all.
    conv_groups, in_groups, out_groups : int
        Convolution groups, groups of input channels and groups of output channels.
    passes : int
        ``ceil(output channels per group / units)``.
    load_cycles : int
        Cycles to load the coefficients of a pass; with a filter height of 4 always at 8 bytes a cycle.
    filter_height : int
        Kernel rows in the AMP units at once: 1, 2 or 4.
    kernel_inner, kernel_outer : int
        Kernel positions within one outer position, and ``ceil(kernel rows / filter_height)``.
    float_partials : bool
        32-bit rather than 16-bit partials.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.6).
    """
    run = passes * position_cycles(slowest, quickest, workers)
    setup = 12 + passes * (load_cycles + kernel_load_cycles(filter_height) + 3)
    inner = kernel_outer * (14 + kernel_inner * (setup + run))
    total = 109 + workers * 9 + workers * (9 if float_partials else 10)
    total += conv_groups * (17 * out_groups + loop_cycles(out_groups)) + loop_cycles(conv_groups)
    return total + conv_groups * (16 + in_groups * (14 + out_groups * (14 + inner)))


def convolution_cycles(
    lines: int,
    width: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    out_channels: int,
    passes: int,
    load_cycles: int,
    units: int,
    filter_height: int,
    kernel_inner: int,
    kernel_outer: int,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a field of `lines` rows of `width` elements, clearing of the outputs included.

    Parameters as in :func:`vertex_cycles`; `out_channels` are those of one group.
    """
    slowest, quickest = field_slots(lines, width, units, float_inputs, float_partials, workers)
    return zero_cycles(lines * width, out_channels, out_groups, conv_groups, workers) + vertex_cycles(
        slowest,
        quickest,
        conv_groups,
        in_groups,
        out_groups,
        passes,
        load_cycles,
        filter_height,
        kernel_inner,
        kernel_outer,
        float_partials,
        workers,
    )


def matmul_cycles(
    rows: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    out_channels: int,
    passes: int,
    load_cycles: int,
    units: int,
    filter_height: int,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a matrix product: one kernel position, one row of `rows` elements."""
    return convolution_cycles(
        1,
        rows,
        conv_groups,
        in_groups,
        out_groups,
        out_channels,
        passes,
        load_cycles,
        units,
        filter_height,
        1,
        1,
        float_inputs,
        float_partials,
        workers,
    )


def quarter_item_cycles(rows: int) -> int:
    """Return the worker slots of one row piece of `rows` field elements with 8-bit inputs."""
    if rows == 0:
        return 16 + 4
    if rows == 1:
        return 16 + 18
    return 16 + (23 if rows == 2 else 27 + 4 * (rows - 3))


def quarter_worker_cycles(items: Sequence[int]) -> int:
    """Return the slots of a worker that runs the row pieces `items` with 8-bit inputs."""
    return 18 + sum(quarter_item_cycles(n) for n in items)


def quarter_vertex_cycles(
    slowest: int,
    quickest: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    passes: int,
    load_cycles: int,
    kernel_inner: int,
    kernel_outer: int,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex with 8-bit inputs (parameters as in :func:`vertex_cycles`).

    The coefficients are charged twice per outer kernel position, as the published estimator does.
    """
    setup = (5 * workers + 3) + (9 * workers + 13 + 36) + (kernel_inner - 1) * (7 * workers + 8 + 36)
    runs = kernel_outer * kernel_inner * passes * position_cycles(slowest, quickest, workers)
    inner = kernel_outer * (setup + 2 * load_cycles) + runs
    per_out = out_groups * ((8 * workers + 10) + in_groups * ((8 * workers + 13) + inner))
    return 83 + conv_groups * ((5 * workers + 7) + per_out)


def quarter_convolution_cycles(
    lines: int,
    width: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    out_channels: int,
    passes: int,
    load_cycles: int,
    kernel_inner: int,
    kernel_outer: int,
    workers: int,
) -> int:
    """Return the supervisor cycles with 8-bit inputs; parameters as in :func:`convolution_cycles`."""
    slowest, quickest = 0, 1 << 62
    for worker in range(workers):
        first, whole, last = field_pieces(worker, workers, lines, width)
        slots = 0
        if first:
            slots = 18 + quarter_item_cycles(first)
            slots += whole * quarter_item_cycles(width) if whole else 0
            slots += quarter_item_cycles(last) if last else 0
        slowest = max(slowest, slots)
        quickest = min(quickest, slots)
    return zero_cycles(lines * width, out_channels, out_groups, conv_groups, workers) + quarter_vertex_cycles(
        slowest,
        quickest,
        conv_groups,
        in_groups,
        out_groups,
        passes,
        load_cycles,
        kernel_inner,
        kernel_outer,
        workers,
    )


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    units, height, workers = settings["units"], settings["filter_height"], chip.worker_contexts
    float_inputs, float_partials = settings["inputs"] == "float32", settings["partials"] == "float32"
    rate = 8 if height == 4 else chip.amp_load_bytes_per_cycle
    load_cycles = units * chip.amp_weight_bytes_per_unit // rate
    kernel_outer = ceil_div(fields["kernel_first"], height)
    groups = (fields["conv_groups"], fields["in_groups"], fields["out_groups"])
    lines, width, passes = fields["lines"], fields["width"], settings["passes"]
    if str(settings["inputs"]).startswith("float8"):
        return quarter_convolution_cycles(
            lines,
            width,
            *groups,
            settings["out_channels"],
            passes,
            load_cycles,
            fields["kernel_rest"],
            kernel_outer,
            workers,
        )
    return convolution_cycles(
        lines,
        width,
        *groups,
        settings["out_channels"],
        passes,
        load_cycles,
        units,
        height,
        fields["kernel_rest"],
        kernel_outer,
        float_inputs,
        float_partials,
        workers,
    )


CODELET = Codelet(
    name="amp_nx1",
    fields=("lines", "width", "conv_groups", "in_groups", "out_groups", "kernel_first", "kernel_rest"),
    cycles=_cycles,
    source="poplibs ConvPartialnx1 estimate",
    work=amp_work,
)
