"""What the published planner expects of one split of a static sparse matmul, term by term.

The planner does not look at the pattern here: it takes non-zero blocks as independent and equally likely, and adds one
standard deviation to what it expects on a tile. Executed cost on the real pattern is another matter
(:mod:`ipusim.plan.static_executed`). Source of everything: poplibs lib/popsparse/StaticMatMulPartitioner.cpp as told in
reference/sparse.md section 1.5.
"""

from __future__ import annotations

import math
from typing import Any

from ipusim.codelets.static_block import needs_zeroing, static_block_cycles, static_zeroing_cycles
from ipusim.codelets.static_element_wise import static_element_wise_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.sparse_units import SparseUnits, skipping_cycles

GATHER, NON_ZEROS, COMPUTE, ZEROING, PARTIALS, REDUCE, REDUCE_FACTOR, MOVE, CYCLES, MEMORY = range(10)
N_TERMS = 10
UNSIGNED_SHORT_MAX = 65535


def planned_reduce_cycles(
    n_outputs: int, n_partials: int, float_partials: bool, float_outputs: bool, workers: int
) -> int:
    """Return the planner's cycles for adding up `n_partials` partial sums of each of a tile's `n_outputs`."""
    if float_partials:
        outer, width = 5, 4
    else:
        outer, width = (7 if float_outputs else 8), 8
    vectors = ceil_div(ceil_div(n_outputs, workers), width)
    return (16 + vectors * (outer + 6 + n_partials - 1)) * workers


def at_least_one(density: float, n: int) -> float:
    """Return the probability that one or more of `n` blocks are non-zero."""
    return 1.0 - math.pow(1.0 - density, float(n))


def spread(probability: float, n: int) -> int:
    """Return the standard deviation of a count of `n` trials, rounded up."""
    return math.ceil(math.pow(probability * (1 - probability) * n, 0.5))


def metadata_words(block_size: int, n_rows: int, workers: int) -> int:
    """Return the 16-bit words that the planner checks against the range of an offset: headers, rows and one entry."""
    if block_size == 1:
        return 6 * workers + n_rows + 1
    return 2 * workers + 2 * n_rows + 1


def estimate_static(
    m: int,
    n_padded: int,
    m_planned: int,
    k_planned: int,
    density: float,
    n_cols: int,
    split_n: bool,
    n_bands: int,
    band_blocks: int,
    band_tiles: int,
    band_cols: int,
    widest_band: int,
    block_size: int,
    float_data: bool,
    float_partials: bool,
    n_tiles: int,
    exchange_bytes_per_cycle: int,
    bus_factor: int,
    workers: int,
    load_bytes_per_cycle: int,
    units: SparseUnits,
    terms: Any,
) -> bool:
    """Estimate one candidate; fill `terms` and return True, or return False if its offsets would not fit in 16 bits.

    Parameters
    ----------
    m, n_padded : int
        All rows, and the columns of the dense operand rounded up to its grain.
    m_planned, k_planned : int
        Block rows and block columns that count for planning.
    density : float
        Non-zero blocks over ``m_planned * k_planned``.
    n_cols : int
        Columns on a tile.
    split_n : bool
        More than one interval of columns was asked for, so that non-zeros have to be exchanged.
    n_bands : int
        Bands asked for.
    band_blocks, band_tiles, band_cols : int
        Non-zero blocks, tiles and block columns of the band with the most blocks per tile.
    widest_band : int
        Most block columns with a non-zero in any band.
    bus_factor : int
        Times the rate at which the planner, here and always, takes the dense operand to be gathered.
    units : SparseUnits
        Hardware made for sparse products.
    terms : int64 array [N_TERMS]
        Filled in the order of the constants of this module; cycles, except REDUCE_FACTOR (a count) and MEMORY (bytes).
    """
    element_bytes = 4 if float_data else 2
    partial_bytes_each = 4 if float_partials else 2
    blocks_per_tile = ceil_div(band_blocks, band_tiles)
    m_tile = ceil_div(m_planned, band_tiles)
    k_tile = band_cols
    if m_tile == 1:
        k_tile = min(math.ceil(band_blocks / density), k_planned)
    row_probability = at_least_one(density, k_tile)
    rows = min(math.ceil(row_probability * m_tile + spread(row_probability, m_tile)), m_tile)
    col_probability = at_least_one(density, m_tile)
    cols = min(math.ceil(col_probability * k_tile + spread(col_probability, k_tile)), k_tile)
    reach = UNSIGNED_SHORT_MAX * (1 if block_size == 1 else 8 * block_size)
    if widest_band * block_size * n_cols * element_bytes > reach:
        return False
    if metadata_words(block_size, rows, workers) > UNSIGNED_SHORT_MAX:
        return False
    gather_bytes = n_cols * cols * block_size * element_bytes
    blocks_per_row = ceil_div(blocks_per_tile, rows)
    zeroing = 0
    if block_size == 1:
        rows_per_worker = ceil_div(rows, workers)
        compute = static_element_wise_cycles(
            rows_per_worker,
            rows_per_worker * blocks_per_row,
            n_cols,
            float_data,
            workers,
            units.gather_elements,
        )
        if units.skip_rows > 0:
            passes = skipping_cycles(
                rows,
                rows * blocks_per_row,
                ceil_div(n_cols, workers),
                units.skip_rows,
                units.skip_weights,
                units.skip_load_cycles,
                units.skip_column_slots,
                units.skip_fill_slots,
                workers,
            )
            compute = min(compute, passes)
    else:
        cols_per_worker = ceil_div(n_cols, workers)
        compute = static_block_cycles(
            rows,
            rows * blocks_per_row,
            cols_per_worker,
            block_size,
            float_data,
            workers,
            load_bytes_per_cycle,
            units.column_slots,
            units.list_fill_slots,
            units.block_fill_slots,
        )
        if needs_zeroing(block_size, float_partials):
            zeroing = static_zeroing_cycles(rows * block_size * n_cols, workers)
    non_zero_bytes = blocks_per_tile * block_size * block_size * element_bytes
    out_bytes = rows * n_cols * partial_bytes_each * block_size
    factor = math.ceil((row_probability * n_bands + spread(row_probability, n_bands)) * band_cols / k_tile)
    partial_bytes = ceil_div(out_bytes * (factor - 1), factor)
    reduce = 0
    if factor > 1:
        outputs = ceil_div(out_bytes // partial_bytes_each, factor)
        reduce = planned_reduce_cycles(outputs, factor, float_partials, float_data, workers)
    terms[GATHER] = int(ceil_div(gather_bytes, bus_factor * exchange_bytes_per_cycle) * (k_tile / cols))
    terms[NON_ZEROS] = ceil_div(non_zero_bytes, exchange_bytes_per_cycle) if split_n else 0
    terms[COMPUTE] = compute
    terms[ZEROING] = zeroing
    terms[PARTIALS] = ceil_div(partial_bytes, exchange_bytes_per_cycle)
    terms[REDUCE] = reduce
    terms[REDUCE_FACTOR] = factor
    terms[MOVE] = ceil_div(m * n_padded * element_bytes, n_tiles)
    terms[CYCLES] = 0
    for term in (GATHER, NON_ZEROS, COMPUTE, ZEROING, PARTIALS, REDUCE, MOVE):
        terms[CYCLES] += terms[term]
    terms[MEMORY] = max(gather_bytes + non_zero_bytes + out_bytes, partial_bytes + out_bytes)
    return True
