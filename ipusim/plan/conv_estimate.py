"""Estimated cycles and memory of one convolution plan: the arithmetic that the search minimises.

Plain integers, so that the same code runs interpreted and compiled. The terms are those of the published convolution
planner (dense reference, sections 2.9-2.13), without serial slices.
"""

from __future__ import annotations

from typing import NamedTuple

from ipusim.codelets.amp_1x1 import quarter_vertex_cycles as quarter_1x1_cycles
from ipusim.codelets.amp_1x1 import vertex_cycles as amp_1x1_cycles
from ipusim.codelets.amp_nx1 import convolution_cycles as amp_nx1_cycles
from ipusim.codelets.amp_nx1 import quarter_convolution_cycles as quarter_nx1_cycles
from ipusim.codelets.hmac import convolution_cycles as hmac_cycles
from ipusim.codelets.reduce_add import conv_reduce_cycles
from ipusim.codelets.vmac import convolution_cycles as vmac_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import receive_cycles
from ipusim.cost.reduction import later_stage_bytes, temporary_bytes
from ipusim.plan.dense_estimate import Machine, rearrange_cycles

AMP_1X1 = 0
AMP_NX1 = 1
HMAC = 2
VMAC = 3

VERTICES = ("amp_1x1", "amp_nx1", "hmac", "vmac")
"""Codelets by the number that stands for them in a :class:`ConvVariant`."""


class Conv(NamedTuple):
    """A convolution: extents in elements, channels of one group, formats by their bytes."""

    rank: int
    batch: int
    groups: int
    in_channels: int
    out_channels: int
    in_h: int
    in_w: int
    out_h: int
    out_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    input_bytes: int
    partial_bytes: int
    output_bytes: int


class ConvVariant(NamedTuple):
    """A vertex that could do the work: codelet, AMP units, channels of one channel group, convolutions side by side."""

    vertex: int
    units: int
    in_channels: int
    out_channels: int
    side: int


class ConvSplit(NamedTuple):
    """How the work is cut over tiles: images, channel groups, field, kernel rows, input and output channels."""

    p_batch: int
    p_groups: int
    p_h: int
    p_w: int
    p_kernel: int
    p_in: int
    p_out: int


class ConvShare(NamedTuple):
    """The largest share of a tile; `in_groups` and `out_groups` count channel groups of the variant."""

    batch: int
    groups: int
    h: int
    w: int
    kernel_h: int
    in_groups: int
    out_groups: int
    in_h: int
    in_w: int


class ConvEstimate(NamedTuple):
    """Estimated cycles of a plan by term, and its temporary bytes on a tile."""

    inputs: int
    weights: int
    partials: int
    amp: int
    reduce: int
    regroup: int
    rearrange: int
    temporary_bytes: int


def span(outputs: int, kernel: int, stride: int, dilation: int, extent: int) -> int:
    """Return the input elements that so many outputs need along one dimension, at most all of them."""
    return min((outputs - 1) * stride + (kernel - 1) * dilation + 1, extent)


def largest_share(conv: Conv, variant: ConvVariant, split: ConvSplit) -> ConvShare:
    """Return what the tile with the most work does."""
    h, w = ceil_div(conv.out_h, split.p_h), ceil_div(conv.out_w, split.p_w)
    kernel_h = ceil_div(conv.kernel_h, split.p_kernel)
    return ConvShare(
        ceil_div(conv.batch, split.p_batch),
        ceil_div(ceil_div(conv.groups, variant.side), split.p_groups) * variant.side,
        h,
        w,
        kernel_h,
        ceil_div(ceil_div(conv.in_channels, variant.in_channels), split.p_in),
        ceil_div(ceil_div(conv.out_channels, variant.out_channels), split.p_out),
        span(h, kernel_h, conv.stride_h, conv.dilation_h, conv.in_h),
        span(w, conv.kernel_w, conv.stride_w, conv.dilation_w, conv.in_w),
    )


def filter_height(machine: Machine, conv: Conv, variant: ConvVariant) -> int:
    """Return the kernel elements that the AMP units of a variant take at once: 1 with all their input channels."""
    return machine.amp_weight_bytes // (conv.input_bytes * variant.in_channels)


def first_extent(conv: Conv, kernel_h: int) -> int:
    """Return the extent of the first kernel dimension, along which the AMP units take several elements at once."""
    return kernel_h if conv.rank == 2 else conv.kernel_w


def rest_extent(conv: Conv) -> int:
    """Return the extent of the kernel's other dimension."""
    return conv.kernel_w if conv.rank == 2 else 1


def vertex_load_cycles(machine: Machine, conv: Conv, variant: ConvVariant) -> int:
    """Return the cycles to load the weights of one pass; four kernel rows are loaded 64 bits at a time."""
    rate = machine.amp_load_bytes
    if variant.vertex == AMP_NX1 and filter_height(machine, conv, variant) == 4:
        rate = min(rate, 8)
    return variant.units * machine.amp_weight_bytes // rate


def product_cycles(machine: Machine, conv: Conv, variant: ConvVariant, share: ConvShare) -> int:
    """Return the cycles of the multiplying vertex of `share`, as the published estimators count them."""
    float_inputs = conv.input_bytes == 4
    float_partials = conv.partial_bytes == 4
    lines = share.batch * share.h
    if variant.vertex == VMAC:
        return vmac_cycles(
            lines * share.w,
            first_extent(conv, share.kernel_h),
            rest_extent(conv),
            variant.side,
            share.groups // variant.side,
            float_partials,
            machine.workers,
        )
    if variant.vertex == HMAC:
        return hmac_cycles(
            lines,
            share.w,
            share.kernel_h * conv.kernel_w,
            share.groups,
            share.in_groups,
            share.out_groups,
            variant.in_channels,
            variant.out_channels,
            float_inputs,
            float_partials,
            machine.workers,
        )
    passes = ceil_div(variant.out_channels, variant.units)
    load_cycles = vertex_load_cycles(machine, conv, variant)
    if conv.input_bytes == 1 and variant.vertex == AMP_1X1:
        return quarter_1x1_cycles(
            lines * share.w, share.groups, share.in_groups, share.out_groups * passes, load_cycles, machine.workers
        )
    if conv.input_bytes == 1:
        return quarter_nx1_cycles(
            lines,
            share.w,
            share.groups,
            share.in_groups,
            share.out_groups,
            variant.out_channels,
            passes,
            load_cycles,
            rest_extent(conv),
            ceil_div(first_extent(conv, share.kernel_h), filter_height(machine, conv, variant)),
            machine.workers,
        )
    if variant.vertex == AMP_1X1:
        return amp_1x1_cycles(
            lines * share.w,
            share.groups,
            share.in_groups,
            share.out_groups,
            passes,
            load_cycles,
            variant.units,
            float_inputs,
            float_partials,
            machine.workers,
        )
    height = filter_height(machine, conv, variant)
    return amp_nx1_cycles(
        lines,
        share.w,
        share.groups,
        share.in_groups,
        share.out_groups,
        variant.out_channels,
        passes,
        load_cycles,
        variant.units,
        height,
        rest_extent(conv),
        ceil_div(first_extent(conv, share.kernel_h), height),
        float_inputs,
        float_partials,
        machine.workers,
    )


def estimate(machine: Machine, conv: Conv, variant: ConvVariant, split: ConvSplit) -> ConvEstimate:
    """Return the estimate of a plan by term.

    Notes
    -----
    Source: poplibs lib/poplin/ConvModel.cpp (dense reference, sections 2.9-2.13). An input is charged as if the tiles
    of different output channels shared out all that each of them needs; elements that neighbours in the field need
    both (the halo) are not charged, a quirk of the planner. `regroup` and `rearrange` are the reference's changes of
    layout around the convolution.
    """
    share = largest_share(conv, variant, split)
    tiles = split.p_batch * split.p_groups * split.p_h * split.p_w * split.p_kernel * split.p_in * split.p_out
    single = machine.exchange_sixteenths
    shared = single * machine.bus_factor if split.p_out % machine.tiles_per_bus == 0 else single
    inner = share.groups * share.in_groups * variant.in_channels
    outer = share.out_groups * variant.out_channels
    input_elements = share.batch * share.in_h * share.in_w * inner
    weight_elements = share.kernel_h * conv.kernel_w * inner * outer
    output_elements = share.batch * share.h * share.w * share.groups * outer
    moved_inputs = input_elements - input_elements // split.p_out
    moved_weights = weight_elements - weight_elements // (split.p_h * split.p_w * split.p_batch)
    depth = split.p_kernel * split.p_in
    owned_outputs = ceil_div(output_elements, depth)
    reduce = conv_reduce_cycles(
        owned_outputs,
        depth,
        conv.output_bytes == 4,
        conv.partial_bytes == 4,
        False,
        1,
        True,
        machine.tile_sram_bytes,
        machine.sram_element_bytes,
        machine.workers,
    )
    later_bytes = later_stage_bytes(owned_outputs, depth, conv.partial_bytes, True)
    partials = receive_cycles(output_elements * conv.partial_bytes, single) + receive_cycles(later_bytes, single)

    regroup = 0
    if variant.out_channels != machine.amp_weight_bytes // conv.input_bytes:
        width = min(8, variant.out_channels * conv.output_bytes)
        regroup = ceil_div(owned_outputs * conv.output_bytes * 5, width * 4)
    rearrange, rearranged = rearrangement(machine, conv, variant, tiles)
    held = (input_elements + weight_elements) * conv.input_bytes + output_elements * conv.partial_bytes
    return ConvEstimate(
        receive_cycles(moved_inputs * conv.input_bytes, shared),
        receive_cycles(moved_weights * conv.input_bytes, single),
        partials,
        product_cycles(machine, conv, variant, share),
        reduce,
        regroup,
        rearrange,
        max(2 * rearranged, held, temporary_bytes(owned_outputs, depth, conv.partial_bytes, True)),
    )


def rearrangement(machine: Machine, conv: Conv, variant: ConvVariant, tiles: int) -> tuple[int, int]:
    """Return cycles, and bytes of the largest tensor on a tile, of padding channels to whole channel groups.

    Inputs and weights are padded where the input channels do not divide, weights and result where the output channels
    do not (dense reference, section 2.11).
    """
    pads_in = conv.in_channels % variant.in_channels != 0
    pads_out = conv.out_channels % variant.out_channels != 0
    cycles = 0
    largest = 0
    if pads_in:
        inputs = conv.batch * conv.groups * conv.in_channels * conv.in_h * conv.in_w
        n_bytes = ceil_div(inputs, tiles) * conv.input_bytes
        cycles += rearrange_cycles(machine, n_bytes, conv.in_channels, conv.input_bytes)
        largest = max(largest, n_bytes)
    if pads_in or pads_out:
        weights = conv.groups * conv.in_channels * conv.out_channels * conv.kernel_h * conv.kernel_w
        n_bytes = ceil_div(weights, tiles) * conv.input_bytes
        cycles += rearrange_cycles(machine, n_bytes, conv.in_channels, conv.input_bytes)
        largest = max(largest, n_bytes)
    if pads_out:
        outputs = conv.batch * conv.groups * conv.out_channels * conv.out_h * conv.out_w
        n_bytes = ceil_div(outputs, tiles) * conv.output_bytes
        cycles += rearrange_cycles(machine, n_bytes, conv.out_channels, conv.output_bytes)
        largest = max(largest, n_bytes)
    return cycles, largest


def total_cycles(terms: ConvEstimate) -> int:
    """Return the sum of the terms of an estimate."""
    exchanged = terms.inputs + terms.weights + terms.partials
    return exchanged + terms.amp + terms.reduce + terms.regroup + terms.rearrange
