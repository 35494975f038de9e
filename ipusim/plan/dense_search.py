"""Exhaustive search over the splits of a dense matmul, with bounds that never cut off a better plan.

The functions are plain Python over integers and integer arrays; :mod:`ipusim.plan.dense` runs them compiled.
"""

from __future__ import annotations

import numpy as np

from ipusim.cost.arithmetic import ceil_div, floor_root
from ipusim.cost.exchange import receive_cycles
from ipusim.ir.regions import IntArray
from ipusim.plan.dense_estimate import (
    HMAC,
    OUTER_PRODUCT,
    Machine,
    Product,
    Split,
    Variant,
    estimate,
    rearranged_bytes,
    total_cycles,
)
from ipusim.plan.plan_table import better, keep_row


def distinct_splits(extent: int, limit: int) -> IntArray:
    """Return the numbers of parts, at most `limit`, that are the smallest with their largest part: int64 array.

    Splitting 10 grains into 6 parts leaves parts of 2, as splitting into 5 does: 6 is left out.
    """
    most = min(extent, limit)
    # as many below the root of the extent as there are parts, and as many above it as there are sizes of parts
    found = np.empty(min(most, 2 * floor_root(extent, 2) + 2), dtype=np.int64)
    count = 0
    parts = 1
    while parts <= most:
        found[count] = parts
        count += 1
        largest = ceil_div(extent, parts)
        parts = most + 1 if largest == 1 else ceil_div(extent, largest - 1)
    return found[:count]


def largest_below(splits: IntArray, limit: int) -> IntArray:
    """Return the place of the largest of some ascending splits up to 0, 1, ..., `limit`, or -1: int64 array."""
    places = np.empty(limit + 1, dtype=np.int64)
    place = -1
    for most in range(limit + 1):
        while place + 1 < len(splits) and splits[place + 1] <= most:
            place += 1
        places[most] = place
    return places


def cuts(extent: int, limit: int) -> IntArray:
    """Return all ways to cut channels into parallel and serial parts, by parallel parts: int64 array [n, 2].

    The product of both is the smallest number of parts with its largest part; at most `limit` parts are parallel.
    """
    parts = distinct_splits(extent, extent)
    count = 0
    for total in parts:
        for parallel in range(1, min(total, limit) + 1):
            count += total % parallel == 0
    found = np.empty((count, 2), dtype=np.int64)
    count = 0
    for parallel in range(1, min(extent, limit) + 1):
        for total in parts:
            if total % parallel == 0:
                found[count, 0] = parallel
                found[count, 1] = total // parallel
                count += 1
    return found


def cycles_floor(
    product: Product, variant: Variant, load_cycles: int, workers: int, inner_parts: int, outer_parts: int, rows: int
) -> int:
    """Return a lower bound of the multiplying cycles of one group over all serial slices of one parallel part.

    A pass of the AMP loads its weights and streams its rows at 4 (16-bit) or 8 (32-bit) slots a row; a dot product
    starts in 17 slots and takes one for a vector of inputs; an outer product takes 10, and 6 a row. The bound never
    falls when the rows of a tile grow.
    """
    inner_groups = ceil_div(ceil_div(product.inner, variant.inner_channels), inner_parts)
    outer_groups = ceil_div(ceil_div(product.outer, variant.outer_channels), outer_parts)
    worker_rows = ceil_div(rows, workers)
    if variant.vertex == HMAC:
        vector = 2 if product.input_bytes == 4 else 4
        return inner_groups * outer_groups * workers * (17 + worker_rows * (2 + variant.inner_channels // vector))
    if variant.vertex == OUTER_PRODUCT:
        return outer_groups * workers * (10 + 6 * worker_rows)
    passes = ceil_div(variant.outer_channels, variant.units)
    slots = 8 if product.input_bytes == 4 else 4
    return inner_groups * outer_groups * passes * (load_cycles + slots * workers * worker_rows)


def try_rows(
    machine: Machine,
    product: Product,
    variant: Variant,
    index: int,
    split: Split,
    row_splits: IntArray,
    row_places: IntArray,
    limit_bytes: int,
    most_cycles: int,
    table: IntArray,
) -> None:
    """Try every split of the rows for otherwise fixed splits, from many parts to few.

    With fewer parts a tile holds more rows: once the operands alone break the memory bound, or the bound of the
    cycles the table, no further split can succeed. The bound counts the multiplying, the partial sums and the rows
    that arrive; the weights that arrive, too, are bounded below before a split is estimated, but they become fewer.
    """
    others = split.p_groups * split.p_inner * split.p_outer
    inner_parts = split.p_inner * split.s_inner
    outer_parts = split.p_outer * split.s_outer
    slices = split.s_inner * split.s_outer
    groups = ceil_div(product.groups, split.p_groups)
    inner = ceil_div(ceil_div(product.inner, variant.inner_channels), inner_parts) * variant.inner_channels
    outer = ceil_div(ceil_div(product.outer, variant.outer_channels), outer_parts) * variant.outer_channels
    load_cycles = variant.units * machine.amp_weight_bytes // machine.amp_load_bytes
    single = machine.exchange_sixteenths
    shared = single * machine.bus_factor if split.p_outer % machine.tiles_per_bus == 0 else single
    weights = groups * inner * outer
    for place in range(row_places[machine.n_tiles // others], -1, -1):
        p_rows = row_splits[place]
        rows = ceil_div(product.rows, p_rows)
        held = inner * outer * product.input_bytes + rows * outer * product.partial_bytes
        held = groups * (held + rows * inner * product.input_bytes)
        if split.s_inner > 1:
            held += ceil_div(groups * rows * outer, split.p_inner) * product.partial_bytes
        if held > limit_bytes:
            return
        floor = cycles_floor(product, variant, load_cycles, machine.workers, inner_parts, outer_parts, rows)
        partials = receive_cycles(groups * rows * outer * product.partial_bytes, single)
        moved = groups * rows * inner - groups * rows * inner // split.p_outer
        floor = slices * (groups * floor + partials) + receive_cycles(moved * product.input_bytes, shared)
        if floor > min(most_cycles, table[len(table) - 1, 0]):
            return
        floor += slices * receive_cycles((weights - weights // p_rows) * product.input_bytes, single)
        if floor > min(most_cycles, table[len(table) - 1, 0]):
            continue
        for broadcast in range(2 if split.s_outer > 1 else 1):
            whole = Split(split.p_groups, p_rows, split.p_inner, split.p_outer, split.s_inner, split.s_outer, broadcast)
            terms = estimate(machine, product, variant, whole)
            total = total_cycles(terms)
            if terms.temporary_bytes <= limit_bytes and better(table, total, terms.temporary_bytes):
                keep_row(table, total, terms.temporary_bytes, index, whole)


def search(machine: Machine, product: Product, variants: IntArray, limit_bytes: int, table: IntArray) -> None:
    """Fill `table` with the best plans.

    Plans without serial slices are tried first, on their own: they are few, and what they take bounds all others.

    Parameters
    ----------
    machine, product : Machine, Product
        The chip; the product before operands are swapped (rows and outer are exchanged for swapped variants).
    variants : int64 array [v, 5]
        Rows of :class:`~ipusim.plan.dense_estimate.Variant`.
    limit_bytes : int
        Bound of the temporary bytes of a tile.
    table : int64 array [kept, COLUMNS]
        Sorted best plans, first column ``UNBOUNDED`` where empty. Changed in place.
    """
    parallel = table.copy()
    for serial in range(2):  # one call, so that it is compiled once
        most_cycles = parallel[len(parallel) - 1, 0]
        try_variants(machine, product, variants, limit_bytes, most_cycles, serial == 0, table if serial else parallel)


def try_variants(
    machine: Machine,
    product: Product,
    variants: IntArray,
    limit_bytes: int,
    most_cycles: int,
    parallel_only: bool,
    table: IntArray,
) -> None:
    """Try the plans of every variant that may take `most_cycles` or less; see :func:`search`."""
    for index in range(len(variants)):
        variant = Variant(
            variants[index, 0], variants[index, 1], variants[index, 2], variants[index, 3], variants[index, 4]
        )
        work = product
        if variant.swapped:
            work = Product(
                product.groups,
                product.outer,
                product.inner,
                product.rows,
                product.input_bytes,
                product.partial_bytes,
                product.output_bytes,
            )
        if not variant.swapped and rearranged_bytes(work, machine.n_tiles) > limit_bytes:
            continue
        inner_grains = ceil_div(work.inner, variant.inner_channels)
        outer_grains = ceil_div(work.outer, variant.outer_channels)
        row_splits = distinct_splits(work.rows, machine.n_tiles)
        row_places = largest_below(row_splits, machine.n_tiles)
        inner_cuts = cuts(inner_grains, machine.n_tiles)
        outer_cuts = cuts(outer_grains, machine.n_tiles)
        for p_groups in distinct_splits(work.groups, machine.n_tiles):
            for outer in range(len(outer_cuts)):
                p_outer, s_outer = outer_cuts[outer, 0], outer_cuts[outer, 1]
                if parallel_only and s_outer > 1:
                    continue
                for inner in range(len(inner_cuts)):
                    p_inner, s_inner = inner_cuts[inner, 0], inner_cuts[inner, 1]
                    if p_groups * p_outer * p_inner > machine.n_tiles:
                        break
                    if s_inner > 1 and (parallel_only or s_outer > 1):
                        continue
                    split = Split(p_groups, 1, p_inner, p_outer, s_inner, s_outer, 0)
                    try_rows(
                        machine, work, variant, index, split, row_splits, row_places, limit_bytes, most_cycles, table
                    )
