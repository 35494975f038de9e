"""Convolution with few channels per group on the AMP units, a window of 1x4 kernel elements at a time (SLIC)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipusim.codelets.registry import Codelet
from ipusim.cost.arithmetic import ceil_div, loop_cycles


def weight_load_cycles(conv_groups_per_group: int, channels_per_group: int, workers: int) -> int:
    """Return the supervisor cycles to load one window's weights (dense reference, section 2.7).

    Groups of one convolution and four channels are loaded as they lie; the others are expanded by the workers.
    """
    if channels_per_group == 4:
        return 16 + 18
    slots = (12 if conv_groups_per_group == 2 else 10) + (1 if conv_groups_per_group > 4 else 0)
    return 16 + 9 + 6 + workers * slots + 6


QUARTER_WEIGHT_LOAD_CYCLES = 16 + 38
"""As :func:`weight_load_cycles`, with 8-bit inputs."""


def row_cycles(rows: int, stride: int, two_chain_half: bool, zeroing: bool) -> int:
    """Return the worker slots of one pass over `rows` output elements of an item."""
    if stride != 1:
        return 7 + (3 if rows == 1 else 5) + 3 if rows < 3 else 15 + 2 * (rows - 3)
    if rows >= (6 if two_chain_half else 5):
        return 15 + (rows - 5) + (3 if two_chain_half and not zeroing else 0)
    if zeroing:
        return 10 + (rows if rows > 1 else 0) + 3
    return 7 + (6 if rows == 1 else 1 + (rows - 1) + 2 + (4 - rows) + 2 + (3 - (4 - rows)) + 3)


def item_cycles(rows: int, stride: int, chains: int, float_partials: bool, zeroing: bool) -> int:
    """Return the worker slots of one item of `rows` output elements."""
    two_chain_half = chains == 2 and not float_partials
    fixed = (9 if two_chain_half else 10) + (1 if zeroing else 0) + (3 if float_partials else 0)
    row = row_cycles(rows, stride, two_chain_half, zeroing) - (1 if float_partials else 0)
    return fixed + (1 if chains == 4 else 2) * row


def worker_cycles(
    items: Sequence[int], stride: int, chains: int, conv_groups_per_group: int, float_partials: bool, zeroing: bool
) -> int:
    """Return the slots of a worker that runs the row pieces `items` with one window."""
    two_chain_half = chains == 2 and not float_partials
    fixed = (2 if two_chain_half else 3) + 14 + (3 if two_chain_half else 0) + (4 if conv_groups_per_group > 4 else 0)
    return fixed + sum(item_cycles(n, stride, chains, float_partials, zeroing) for n in items)


def inner_cycles(slowest: int, rows: int, chains: int, float_partials: bool, zeroing: bool, workers: int) -> int:
    """Return the supervisor cycles of one window.

    Parameters
    ----------
    slowest : int
        Slots of the busiest worker (:func:`worker_cycles`).
    rows : int
        Output elements of all items of all workers: two chains with 16-bit partials copy them once.
    """
    copied = 2 + 2 * rows if chains == 2 and not float_partials and zeroing else 0
    return workers * slowest + copied


def vertex_cycles(
    overwrite: int,
    accumulate: int,
    conv_group_groups: int,
    sub_kernels: int,
    conv_groups_per_group: int,
    chains: int,
    weight_load: int,
    float_partials: bool,
) -> int:
    """Return the supervisor cycles of a vertex.

    Parameters
    ----------
    overwrite, accumulate : int
        Supervisor cycles of the first and of every later window (:func:`inner_cycles`).
    conv_group_groups : int
        Groups of convolution groups.
    sub_kernels : int
        Windows of the kernel: ``ceil(kernel width / 4)`` times its other dimensions.
    conv_groups_per_group : int
        Convolutions side by side: 1, 2, 4, 8 or 16.
    chains : int
        Accumulator chains: 2 or 4.
    weight_load : int
        Supervisor cycles to load a window's weights (:func:`weight_load_cycles`).
    float_partials : bool
        32-bit rather than 16-bit partials.

    Notes
    -----
    Source: poplibs lib/poplin/PerformanceEstimation.hpp (dense reference, section 2.7).
    """
    short = chains == 2 and not float_partials
    wide = conv_groups_per_group > 4
    groups = conv_groups_per_group // 4 if wide else 1
    window = weight_load + (16 if short else 20)
    if wide:
        window = groups * (weight_load + 21) + loop_cycles(groups) + 15
    total = 25 if short else 28
    total += conv_group_groups * ((12 if short else 15) + (8 if wide else 0)) + loop_cycles(conv_group_groups)
    total += sub_kernels * window + loop_cycles(sub_kernels)
    return total + conv_group_groups * (overwrite + (sub_kernels - 1) * accumulate * groups)


def _cycles(fields: Mapping[str, int], settings: Mapping[str, Any], chip: Any) -> int:
    workers, chains, stride = chip.worker_contexts, settings["chains"], settings["stride"]
    side = settings["conv_groups_per_group"]
    float_partials = settings["partials"] == "float32"
    share = (ceil_div(fields["rows"], workers),)
    windows = [
        inner_cycles(
            worker_cycles(share, stride, chains, side, float_partials, zeroing),
            fields["rows"],
            chains,
            float_partials,
            zeroing,
            workers,
        )
        for zeroing in (True, False)
    ]
    quarter = str(settings["inputs"]).startswith("float8")
    channels = settings["channels_per_group"]
    load = QUARTER_WEIGHT_LOAD_CYCLES if quarter else weight_load_cycles(side, channels, workers)
    return vertex_cycles(
        windows[0],
        windows[1],
        fields["conv_group_groups"],
        fields["sub_kernels"],
        side,
        chains,
        load,
        float_partials,
    )


CODELET = Codelet(
    name="slic",
    fields=("rows", "conv_group_groups", "sub_kernels"),
    cycles=_cycles,
    source="poplibs ConvPartial1x4SLIC estimate",
)
