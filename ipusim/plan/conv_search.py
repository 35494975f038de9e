"""Exhaustive search over the splits of a convolution, with bounds that never cut off a better plan.

Plain Python over integers and integer arrays; :mod:`ipusim.plan.conv` runs it compiled.
"""

from __future__ import annotations

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.regions import IntArray
from ipusim.plan.conv_estimate import (
    AMP_1X1,
    AMP_NX1,
    Conv,
    ConvSplit,
    ConvVariant,
    estimate,
    filter_height,
    first_extent,
    rearrangement,
    rest_extent,
    total_cycles,
    vertex_load_cycles,
)
from ipusim.plan.dense_estimate import Machine
from ipusim.plan.dense_search import distinct_splits, largest_below
from ipusim.plan.plan_table import better, keep_row


def pass_floor(machine: Machine, conv: Conv, variant: ConvVariant, kernel_h: int) -> int:
    """Return a lower bound of the passes of one pair of channel groups over the field: kernel positions times passes.

    Only AMP vertices have one; it is 0 for others.
    """
    if variant.vertex == AMP_1X1:
        return ceil_div(variant.out_channels, variant.units)
    if variant.vertex == AMP_NX1:
        outer = ceil_div(first_extent(conv, kernel_h), filter_height(machine, conv, variant))
        return ceil_div(variant.out_channels, variant.units) * outer * rest_extent(conv)
    return 0


def try_fields(
    machine: Machine,
    conv: Conv,
    variant: ConvVariant,
    index: int,
    channels: ConvSplit,
    batch_splits: IntArray,
    h_splits: IntArray,
    w_splits: IntArray,
    w_places: IntArray,
    limit_bytes: int,
    table: IntArray,
) -> None:
    """Try every split of batch and field for otherwise fixed splits, from many parts to few.

    Several images share a tile only with whole rows, so that what a tile has is one box of the tensor.
    """
    worst = len(table) - 1
    others = channels.p_groups * channels.p_kernel * channels.p_in * channels.p_out
    room = machine.n_tiles // others
    groups = ceil_div(ceil_div(conv.groups, variant.side), channels.p_groups) * variant.side
    in_groups = ceil_div(ceil_div(conv.in_channels, variant.in_channels), channels.p_in)
    out_groups = ceil_div(ceil_div(conv.out_channels, variant.out_channels), channels.p_out)
    passes = pass_floor(machine, conv, variant, ceil_div(conv.kernel_h, channels.p_kernel))
    passes *= groups * in_groups * out_groups
    load_cycles = vertex_load_cycles(machine, conv, variant)
    slots = (8 if conv.input_bytes == 4 else 4) * machine.workers
    outer = groups * out_groups * variant.out_channels
    # the exchange of partial sums and their reduction follow from the outputs of a tile, as the passes do
    output_rate = outer * conv.partial_bytes * 16
    fewest = ceil_div(conv.batch * conv.out_h * conv.out_w, room)
    floor = passes * (load_cycles + slots * ceil_div(fewest, machine.workers))
    if floor + fewest * output_rate // machine.exchange_sixteenths > table[worst, 0]:
        return
    for b in range(len(batch_splits) - 1, -1, -1):
        p_batch = batch_splits[b]
        if p_batch > room:
            continue
        batch = ceil_div(conv.batch, p_batch)
        for i in range(len(h_splits) - 1, -1, -1):
            p_h = h_splits[i]
            if p_batch * p_h > room:
                continue
            h = ceil_div(conv.out_h, p_h)
            place = w_places[room // (p_batch * p_h)]
            if batch > 1 and h > 1:
                place = 0
            while place >= 0:
                p_w = w_splits[place]
                elements = batch * h * ceil_div(conv.out_w, p_w)
                floor = passes * (load_cycles + slots * ceil_div(elements, machine.workers))
                if floor + elements * output_rate // machine.exchange_sixteenths > table[worst, 0]:
                    break
                if elements * outer * conv.partial_bytes > limit_bytes:
                    break
                split = ConvSplit(
                    p_batch, channels.p_groups, p_h, p_w, channels.p_kernel, channels.p_in, channels.p_out
                )
                terms = estimate(machine, conv, variant, split)
                total = total_cycles(terms)
                if terms.temporary_bytes <= limit_bytes and better(table, total, terms.temporary_bytes):
                    keep_row(table, total, terms.temporary_bytes, index, split)
                place -= 1


def search(machine: Machine, conv: Conv, variants: IntArray, limit_bytes: int, table: IntArray) -> None:
    """Fill `table` with the best plans.

    Parameters
    ----------
    machine, conv : Machine, Conv
    variants : int64 array [v, 5]
        Rows of :class:`~ipusim.plan.conv_estimate.ConvVariant`.
    limit_bytes : int
        Bound of the temporary bytes of a tile.
    table : int64 array [kept, COLUMNS]
        Sorted best plans, first column ``UNBOUNDED`` where empty. Changed in place.
    """
    tiles = machine.n_tiles
    batch_splits = distinct_splits(conv.batch, tiles)
    h_splits = distinct_splits(conv.out_h, tiles)
    w_splits = distinct_splits(conv.out_w, tiles)
    w_places = largest_below(w_splits, tiles)
    kernel_splits = distinct_splits(conv.kernel_h, tiles)
    for index in range(len(variants)):
        variant = ConvVariant(
            variants[index, 0], variants[index, 1], variants[index, 2], variants[index, 3], variants[index, 4]
        )
        if 2 * rearrangement(machine, conv, variant, tiles)[1] > limit_bytes:
            continue
        group_grains = ceil_div(conv.groups, variant.side)
        in_splits = distinct_splits(ceil_div(conv.in_channels, variant.in_channels), tiles)
        out_splits = distinct_splits(ceil_div(conv.out_channels, variant.out_channels), tiles)
        for p_groups in distinct_splits(group_grains, tiles)[::-1]:
            for p_out in out_splits:
                if p_groups * p_out > tiles:
                    break
                for p_in in in_splits:
                    if p_groups * p_out * p_in > tiles:
                        break
                    if p_in * p_out > 1 and p_groups < conv.groups:
                        break
                    for p_kernel in kernel_splits:
                        if p_groups * p_out * p_in * p_kernel > tiles:
                            break
                        channels = ConvSplit(1, p_groups, 1, 1, p_kernel, p_in, p_out)
                        try_fields(
                            machine,
                            conv,
                            variant,
                            index,
                            channels,
                            batch_splits,
                            h_splits,
                            w_splits,
                            w_places,
                            limit_bytes,
                            table,
                        )
