"""Depthwise convolution without the AMP units: products of whole vectors of convolution groups (16-bit inputs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div


def item_cycles(rows: int, conv_groups_per_group: int, float_partials: bool) -> int:
    """Return the worker slots of an item of `rows` inputs, with 4, 8 or 16 convolutions side by side."""
    if conv_groups_per_group == 4:
        return 7 + (5 if float_partials else 3) + 3 + 2 * (rows - 1)
    return (7 + 15 + 3 + 3 * (rows - 1)) * (conv_groups_per_group // 8)


def start_cycles(conv_groups_per_group: int, float_partials: bool) -> int:
    """Return the slots of a worker before its first item."""
    if conv_groups_per_group == 4:
        return 19 if float_partials else 18
    return 13 if conv_groups_per_group == 8 else 25


def worker_cycles(items: Sequence[int], conv_groups_per_group: int, float_partials: bool) -> int:
    """Return the slots of a worker that runs the row pieces `items`."""
    fixed = start_cycles(conv_groups_per_group, float_partials)
    return fixed + sum(item_cycles(n, conv_groups_per_group, float_partials) for n in items)


def vertex_cycles(
    slowest: int,
    outputs: int,
    conv_groups_per_group: int,
    conv_groups: int,
    in_groups: int,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a vertex, which clears its outputs and adds its workers' results itself.

    Parameters
    ----------
    slowest : int
        Slots of the busiest worker (:func:`worker_cycles`).
    outputs : int
        Output elements of one group.
    conv_groups_per_group : int
        Convolutions side by side: 4, 8 or 16.
    conv_groups, in_groups : int
        Groups of convolutions and of inputs.
    float_partials : bool
        32-bit rather than 16-bit partials.
    workers : int
        Worker contexts of a tile.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.8).
    """
    one = 1 if float_partials else 0
    clearing = 4 + ceil_div(outputs, 2 if float_partials else 4)
    per_vector = 7 + 2 * one + (10 if float_partials else 5)
    adding = 10 - one + per_vector * ceil_div(outputs, workers) // conv_groups_per_group
    per_group = clearing + 32 + in_groups * (24 + workers * slowest) + adding
    return 61 + 14 + 25 + one + conv_groups * per_group


def convolution_cycles(
    elements: int,
    kernel_first: int,
    kernel_rest: int,
    conv_groups_per_group: int,
    conv_groups: int,
    float_partials: bool,
    workers: int,
) -> int:
    """Return the supervisor cycles of a depthwise convolution of `elements` field elements.

    An item is one output element and one line of `kernel_first` kernel elements; the workers share the items evenly.
    The list of items is not part of the published formula: that they are such is an assumption.
    """
    fixed = start_cycles(conv_groups_per_group, float_partials)
    items = ceil_div(elements * kernel_rest, workers)
    slowest = fixed + items * item_cycles(kernel_first, conv_groups_per_group, float_partials)
    outputs = elements * conv_groups_per_group
    return vertex_cycles(slowest, outputs, conv_groups_per_group, conv_groups, 1, float_partials, workers)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    return convolution_cycles(
        fields["elements"],
        fields["kernel_first"],
        fields["kernel_rest"],
        settings["conv_groups_per_group"],
        fields["conv_groups"],
        settings["partials"] == "float32",
        chip.worker_contexts,
    )


CODELET = Codelet(
    name="vmac",
    fields=("elements", "conv_groups", "kernel_first", "kernel_rest"),
    cycles=_cycles,
    source="poplibs ConvPartialVerticalMac estimate",
)
