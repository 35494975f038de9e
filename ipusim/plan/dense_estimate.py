"""Estimated cycles and memory of one dense matmul plan: the arithmetic that the search minimises.

Everything here takes and returns integers (named tuples of them), so that the same code runs interpreted and compiled.
The terms follow the poplibs convolution planner, which plans a matmul as a one-dimensional convolution (dense
reference, sections 2.9-2.13).

Vocabulary, after the operands have been swapped: `rows` stream through the AMP, `inner` channels are summed over,
`outer` channels are held in the AMP units. A *serial* split runs the plan several times, a slice after another.
"""

from __future__ import annotations

from typing import NamedTuple

from ipusim.codelets.amp_1x1 import quarter_vertex_cycles as quarter_1x1_cycles
from ipusim.codelets.amp_1x1 import vertex_cycles as amp_1x1_cycles
from ipusim.codelets.amp_nx1 import matmul_cycles as amp_nx1_cycles
from ipusim.codelets.amp_nx1 import quarter_convolution_cycles as quarter_nx1_cycles
from ipusim.codelets.binary_1d import add_cycles
from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.dynamic_slice_1d import vertex_cycles as slice_vertex_cycles
from ipusim.codelets.hmac import matmul_cycles as hmac_cycles
from ipusim.codelets.outer_product import vertex_cycles as outer_product_cycles
from ipusim.codelets.reduce_add import conv_reduce_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import receive_cycles
from ipusim.cost.reduction import later_stage_bytes, temporary_bytes

AMP_1X1 = 0
AMP_NX1 = 1
HMAC = 2
OUTER_PRODUCT = 3

VERTICES = ("amp_1x1", "amp_nx1", "hmac", "outer_product")
"""Codelets by the number that stands for them in a :class:`Variant`."""


class Machine(NamedTuple):
    """What the planner has to know of a chip. Units are in the names; `exchange_sixteenths` is 16 x bytes/cycle."""

    n_tiles: int
    tile_sram_bytes: int
    sram_element_bytes: int
    workers: int
    exchange_sixteenths: int
    tiles_per_bus: int
    bus_factor: int
    amp_load_bytes: int
    amp_weight_bytes: int
    copy_bytes_per_cycle: int
    data_path_bytes: int


class Product(NamedTuple):
    """A matrix product after the choice of operands: extents in elements, formats by their bytes."""

    groups: int
    rows: int
    inner: int
    outer: int
    input_bytes: int
    partial_bytes: int
    output_bytes: int


class Variant(NamedTuple):
    """A vertex that could do the work: which codelet, the AMP units in use and the channels of one group."""

    vertex: int
    units: int
    inner_channels: int
    outer_channels: int
    swapped: int


class Split(NamedTuple):
    """How the work is cut: parallel parts over tiles (`p_`), serial slices (`s_`).

    `broadcast` is 1 when the rows are sent once, before the loop over serial slices, instead of in each iteration.
    """

    p_groups: int
    p_rows: int
    p_inner: int
    p_outer: int
    s_inner: int
    s_outer: int
    broadcast: int


class Share(NamedTuple):
    """The largest share of a tile in one serial slice."""

    groups: int
    rows: int
    inner_groups: int
    outer_groups: int
    inner: int
    outer: int
    slices: int


class Estimate(NamedTuple):
    """Estimated cycles of a plan by term, all serial slices together, and its temporary bytes on a tile."""

    slice: int
    inputs: int
    weights: int
    partials: int
    amp: int
    reduce: int
    update: int
    add: int
    regroup: int
    rearrange: int
    cast: int
    temporary_bytes: int


def largest_share(product: Product, variant: Variant, split: Split) -> Share:
    """Return what the tile with the most work does in one serial slice."""
    inner_groups = ceil_div(ceil_div(product.inner, variant.inner_channels), split.p_inner * split.s_inner)
    outer_groups = ceil_div(ceil_div(product.outer, variant.outer_channels), split.p_outer * split.s_outer)
    return Share(
        ceil_div(product.groups, split.p_groups),
        ceil_div(product.rows, split.p_rows),
        inner_groups,
        outer_groups,
        inner_groups * variant.inner_channels,
        outer_groups * variant.outer_channels,
        split.s_inner * split.s_outer,
    )


def filter_height(machine: Machine, product: Product, variant: Variant) -> int:
    """Return the kernel rows that the AMP units of a variant take at once: 1 with all their input channels."""
    return machine.amp_weight_bytes // (product.input_bytes * variant.inner_channels)


def load_bytes(machine: Machine, product: Product, variant: Variant) -> int:
    """Return the bytes of weights loaded per cycle; four kernel rows are loaded 64 bits at a time."""
    narrow = variant.vertex == AMP_NX1 and filter_height(machine, product, variant) == 4
    return min(machine.amp_load_bytes, 8) if narrow else machine.amp_load_bytes


def product_cycles(machine: Machine, product: Product, variant: Variant, share: Share) -> int:
    """Return the cycles of the multiplying vertex of `share`, as the published estimators count them."""
    float_inputs = product.input_bytes == 4
    float_partials = product.partial_bytes == 4
    if variant.vertex == HMAC:
        return hmac_cycles(
            share.rows,
            share.groups,
            share.inner_groups,
            share.outer_groups,
            variant.inner_channels,
            variant.outer_channels,
            float_inputs,
            float_partials,
            machine.workers,
        )
    if variant.vertex == OUTER_PRODUCT:
        return outer_product_cycles(
            share.rows, variant.outer_channels, share.outer_groups * share.groups, float_inputs, machine.workers
        )
    passes = ceil_div(variant.outer_channels, variant.units)
    load_cycles = variant.units * machine.amp_weight_bytes // load_bytes(machine, product, variant)
    if product.input_bytes == 1:
        return quarter_cycles(machine, variant, share, passes, load_cycles)
    if variant.vertex == AMP_NX1:
        return amp_nx1_cycles(
            share.rows,
            share.groups,
            share.inner_groups,
            share.outer_groups,
            variant.outer_channels,
            passes,
            load_cycles,
            variant.units,
            filter_height(machine, product, variant),
            float_inputs,
            float_partials,
            machine.workers,
        )
    return amp_1x1_cycles(
        share.rows,
        share.groups,
        share.inner_groups,
        share.outer_groups,
        passes,
        load_cycles,
        variant.units,
        float_inputs,
        float_partials,
        machine.workers,
    )


def quarter_cycles(machine: Machine, variant: Variant, share: Share, passes: int, load_cycles: int) -> int:
    """Return the cycles of the multiplying vertex with 8-bit inputs, as the published estimators count them."""
    if variant.vertex == AMP_NX1:
        return quarter_nx1_cycles(
            1,
            share.rows,
            share.groups,
            share.inner_groups,
            share.outer_groups,
            variant.outer_channels,
            passes,
            load_cycles,
            1,
            1,
            machine.workers,
        )
    return quarter_1x1_cycles(
        share.rows, share.groups, share.inner_groups, share.outer_groups * passes, load_cycles, machine.workers
    )


def estimate(machine: Machine, product: Product, variant: Variant, split: Split) -> Estimate:
    """Return the estimate of a plan by term.

    Parameters
    ----------
    machine, product, variant, split
        The chip, the matrix product, the vertex and the cut.

    Notes
    -----
    Source: poplibs lib/poplin/ConvModel.cpp (dense reference, sections 2.9-2.13; model notes, section 2.2). The
    partials are charged at reduction depth 1 as well, although nothing moves then: a quirk of the planner that is kept
    because it decides which plan the hardware ran.
    """
    share = largest_share(product, variant, split)
    tiles = split.p_groups * split.p_rows * split.p_inner * split.p_outer
    slices = share.slices
    single = machine.exchange_sixteenths
    shared = single * machine.bus_factor if split.p_outer % machine.tiles_per_bus == 0 else single

    input_elements = share.groups * share.rows * share.inner
    weight_elements = share.groups * share.inner * share.outer
    output_elements = share.groups * share.rows * share.outer
    moved_inputs = input_elements - input_elements // split.p_outer
    moved_weights = weight_elements - weight_elements // split.p_rows
    inputs = receive_cycles(moved_inputs * product.input_bytes, shared)
    weights = receive_cycles(moved_weights * product.input_bytes, single)
    float_partials = product.partial_bytes == 4
    final = split.s_inner == 1
    float_out = product.output_bytes == 4 if final else float_partials
    owned_outputs = ceil_div(output_elements, split.p_inner)
    reduce = conv_reduce_cycles(
        owned_outputs,
        split.p_inner,
        float_out,
        float_partials,
        False,
        split.s_inner,
        True,
        machine.tile_sram_bytes,
        machine.sram_element_bytes,
        machine.workers,
        machine.data_path_bytes,
    )
    later_bytes = later_stage_bytes(owned_outputs, split.p_inner, product.partial_bytes, True)
    partials = receive_cycles(output_elements * product.partial_bytes, single) + receive_cycles(later_bytes, single)

    input_vector = machine.data_path_bytes // product.input_bytes
    partial_vector = machine.data_path_bytes // product.partial_bytes
    output_vector = machine.data_path_bytes // product.output_bytes
    slice_cycles = 0
    if slices > 1:
        owned = ceil_div(ceil_div(product.groups * product.inner * product.outer, tiles), slices)
        slice_cycles = slice_vertex_cycles(owned, 1, input_vector, machine.workers)
    update = 0
    if split.s_outer > 1:
        update = slice_vertex_cycles(ceil_div(owned_outputs, split.s_outer), 1, output_vector, machine.workers)
    add = 0
    cast = 0
    if split.s_inner > 1:
        owned = ceil_div(ceil_div(product.groups * product.rows * product.inner, tiles), slices)
        slice_cycles += slice_vertex_cycles(owned, 1, input_vector, machine.workers)
        add = add_cycles(owned_outputs, partial_vector, float_partials, True, machine.workers)
        if product.output_bytes != product.partial_bytes:
            cast = planner_cast_cycles(owned_outputs, partial_vector, output_vector, machine.workers)

    unit_channels = machine.amp_weight_bytes // product.input_bytes
    regroup = 0
    if variant.vertex == AMP_1X1 and variant.outer_channels != unit_channels:
        width = min(8, variant.outer_channels * product.output_bytes)
        regroup = ceil_div(owned_outputs * product.output_bytes * 5, width * 4)
    rearrange = 0
    rearranged = 0
    if not variant.swapped:
        inputs_share, weights_share, outputs_share = even_shares(product, tiles)
        rearrange = (
            rearrange_cycles(machine, inputs_share, product.inner, product.input_bytes)
            + rearrange_cycles(machine, weights_share, product.inner, product.input_bytes)
            + rearrange_cycles(machine, outputs_share, product.outer, product.output_bytes)
        )
        rearranged = rearranged_bytes(product, tiles)

    held_inputs = input_elements * product.input_bytes
    held = weight_elements * product.input_bytes + output_elements * product.partial_bytes
    kept = 0
    if split.broadcast:
        kept = held_inputs
    else:
        held += held_inputs
    if split.s_inner > 1:
        kept += owned_outputs * product.partial_bytes
    return Estimate(
        slices * slice_cycles,
        inputs if split.broadcast else slices * inputs,
        slices * weights,
        slices * partials,
        slices * product_cycles(machine, product, variant, share),
        slices * reduce,
        slices * update,
        slices * add,
        slices * regroup,
        rearrange,
        cast,
        kept + max(rearranged, held, temporary_bytes(owned_outputs, split.p_inner, product.partial_bytes, True)),
    )


def even_shares(product: Product, tiles: int) -> tuple[int, int, int]:
    """Return the bytes of inputs, weights and outputs on a tile, where each is spread evenly."""
    return (
        ceil_div(product.groups * product.rows * product.inner, tiles) * product.input_bytes,
        ceil_div(product.groups * product.inner * product.outer, tiles) * product.input_bytes,
        ceil_div(product.groups * product.rows * product.outer, tiles) * product.output_bytes,
    )


def rearranged_bytes(product: Product, tiles: int) -> int:
    """Return the bytes that a tile needs while the layout of the largest matrix is changed: old and new share."""
    return 2 * max(even_shares(product, tiles))


def rearrange_cycles(machine: Machine, n_bytes: int, extent: int, element_bytes: int) -> int:
    """Return the cycles to bring a tile's share of a tensor into another layout: exchange it and copy it.

    The copy moves an element per cycle (at most the copy rate), with a factor 5/4, or 5/3 where the innermost extent
    is not a multiple of the vector (poplibs lib/poplin/ConvModel.cpp; dense reference, section 2.11).
    """
    rate = min(machine.copy_bytes_per_cycle, element_bytes)
    vector = machine.data_path_bytes // element_bytes
    divisor = 4 if extent % vector == 0 else 3
    return ceil_div(n_bytes * 5, rate * divisor) + receive_cycles(n_bytes, machine.exchange_sixteenths)


def total_cycles(terms: Estimate) -> int:
    """Return the sum of the terms of an estimate."""
    return (
        terms.slice
        + terms.inputs
        + terms.weights
        + terms.partials
        + terms.amp
        + terms.reduce
        + terms.update
        + terms.add
        + terms.regroup
        + terms.rearrange
        + terms.cast
    )
