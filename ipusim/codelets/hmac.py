"""Convolution or matrix product without the AMP units: a dot product over the input channels per output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipusim.chip.amp import element_bytes
from ipusim.chip.model import Chip
from ipusim.codelets.amp_nx1 import zero_cycles
from ipusim.codelets.registry import Codelet
from ipusim.codelets.work import Traffic, field_rows, vector_work
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.energy import Work
from ipusim.cost.worker_split import field_pieces
from ipusim.ir.program import VertexSet


def dot_cycles(size: int, vector_width: int, float_inputs: bool, float_partials: bool) -> int:
    """Return the worker slots of a dot product of `size` elements.

    `vector_width` is the number of inputs in 64 bits; a size that is not a multiple of it is taken in narrower pieces.
    """
    outputs = 1 if float_inputs or float_partials else 2
    width = 1
    while width * 2 <= vector_width and size % (width * 2) == 0:
        width *= 2
    full = width >= (2 if float_inputs else 4)
    slots = 3 * outputs + (outputs - 1) + 4 - (0 if float_inputs else 1)
    return slots + (0 if full else outputs) + (size // width) * (1 if full else 2)


def _saved_slots(is_1x1: bool, float_type: bool) -> int:
    if is_1x1:
        return 15
    return 0 if float_type else 6


def item_cycles(rows: int, out_channels: int, dot: int, is_1x1: bool) -> int:
    """Return the worker slots of an item of `rows` field elements.

    `out_channels` counts pairs of channels where the partials are 16-bit; `dot` comes from :func:`dot_cycles`.
    """
    if rows == 0:
        return 7
    if is_1x1 and out_channels == 1:
        return 13 + 1 + rows * (2 + dot)
    return (13 if is_1x1 else 19) + rows * (7 + out_channels * dot)


def worker_cycles(
    positions: Sequence[Sequence[int]], out_channels: int, dot: int, is_1x1: bool, float_inputs: bool
) -> int:
    """Return the slots of a worker that runs a list of items for each kernel position."""
    fixed = 16 - _saved_slots(is_1x1, float_inputs)
    return 16 + sum(fixed + sum(item_cycles(n, out_channels, dot, is_1x1) for n in items) for items in positions)


def vertex_cycles(
    slowest: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    is_1x1: bool,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex, clearing of its outputs not included.

    Parameters
    ----------
    slowest : int
        Slots of the busiest worker (:func:`worker_cycles`).
    conv_groups, in_groups, out_groups : int
        Convolution groups, groups of input channels and groups of output channels.
    is_1x1 : bool
        The variant for kernels of one element.
    float_inputs, float_partials : bool
        32-bit rather than 16-bit.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.8). What the supervisor saves
    depends on the format of the partials, as in the published estimator.
    """
    total = (58 if float_inputs else 65) - (10 if is_1x1 else 0)
    total += workers * (9 if float_partials else 10) + workers * _saved_slots(is_1x1, float_partials)
    return total + conv_groups * (23 + in_groups * (15 + out_groups * (10 + workers * slowest)))


def field_slots(
    lines: int, width: int, kernel_size: int, out_channels: int, dot: int, float_inputs: bool, workers: int
) -> int:
    """Return the slots of the busiest worker for a field of `lines` rows of `width` elements."""
    is_1x1 = kernel_size == 1
    slowest = 0
    for worker in range(workers):
        first, whole, last = field_pieces(worker, workers, lines, width)
        slots = item_cycles(first, out_channels, dot, is_1x1)
        slots += whole * item_cycles(width, out_channels, dot, is_1x1) if whole else 0
        slots += item_cycles(last, out_channels, dot, is_1x1) if last else 0
        slowest = max(slowest, slots)
    return 16 + kernel_size * (16 - _saved_slots(is_1x1, float_inputs) + slowest)


def convolution_cycles(
    lines: int,
    width: int,
    kernel_size: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    in_channels: int,
    out_channels: int,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a field of `lines` rows of `width` elements, clearing of the outputs included.

    Parameters as in :func:`vertex_cycles`; `kernel_size` counts the kernel's positions, `in_channels` and
    `out_channels` are those of one group.
    """
    dot = dot_cycles(in_channels, 2 if float_inputs else 4, float_inputs, float_partials)
    columns = out_channels if float_partials else ceil_div(out_channels, 2)
    is_1x1 = kernel_size == 1
    slowest = field_slots(lines, width, kernel_size, columns, dot, float_inputs, workers)
    total = vertex_cycles(slowest, conv_groups, in_groups, out_groups, is_1x1, float_inputs, float_partials, workers)
    if is_1x1 and in_groups == 1 and out_channels == 1:
        return total
    return total + zero_cycles(lines * width, out_channels, out_groups, conv_groups, workers)


def matmul_cycles(
    rows: int,
    conv_groups: int,
    in_groups: int,
    out_groups: int,
    in_channels: int,
    out_channels: int,
    float_inputs: bool,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a matrix product: one kernel position, one row of `rows` elements."""
    return convolution_cycles(
        1, rows, 1, conv_groups, in_groups, out_groups, in_channels, out_channels, float_inputs, float_partials, workers
    )


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return convolution_cycles(
        fields["lines"],
        fields["width"],
        fields["kernel_first"] * fields["kernel_rest"],
        fields["conv_groups"],
        fields["in_groups"],
        fields["out_groups"],
        settings["in_channels"],
        settings["out_channels"],
        settings["inputs"] == "float32",
        settings["partials"] == "float32",
        chip.worker_contexts,
    )


def _work(vertices: VertexSet, chip: Chip, traffic: Traffic) -> Work:  # noqa: ARG001
    settings: Any = vertices.settings
    fields = vertices.fields
    sums = field_rows(vertices) * fields["conv_groups"] * fields["out_groups"] * int(settings["out_channels"])
    passes = int((sums * fields["in_groups"] * fields["kernel_first"] * fields["kernel_rest"]).sum())
    macs = passes * int(settings["in_channels"])
    inputs, written = str(settings["inputs"]), passes * element_bytes(str(settings["partials"]))
    return vector_work(inputs, 2 * macs, 2 * macs * element_bytes(inputs) + written, written)


CODELET = Codelet(
    name="hmac",
    fields=("lines", "width", "conv_groups", "in_groups", "out_groups", "kernel_first", "kernel_rest"),
    cycles=_cycles,
    source="poplibs ConvPartialHorizontalMac estimate",
    work=_work,
)
