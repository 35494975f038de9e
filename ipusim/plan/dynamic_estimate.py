"""The planner's estimate of the forward pass and of the gradient of the dense input, for one partition.

The estimate assumes a perfectly even pattern, sums the phases, and takes the tile with the largest part. It decides
between plans and nothing else; what a plan really costs is in :mod:`ipusim.plan.dynamic_executed`. Quirks that decide
between plans are kept: full-size metadata, one cycle per zeroed partial, no propagation.
Source: reference/sparse.md sections 2.2 to 2.6, MODEL_DYNAMIC.md section 2.
"""

from __future__ import annotations

from typing import NamedTuple

from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.dynamic_block import block_cycles
from ipusim.codelets.dynamic_element_wise import forward_cycles, grad_a_cycles
from ipusim.codelets.dynamic_element_wise_transpose import transpose_cycles
from ipusim.codelets.reduce_add import multi_input_cycles
from ipusim.codelets.sparse_bucket_transpose import bucket_transpose_cycles
from ipusim.codelets.sparse_zero import zero_estimate_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_non_zeros import WORD_BYTES, bucket_groups, bucket_words, expected_row_length, expected_rows
from ipusim.cost.exchange import receive_cycles
from ipusim.cost.worker_split import worker_pieces
from ipusim.plan.dynamic_problem import DynamicProblem


class PassEstimate(NamedTuple):
    """Estimated cycles of one pass by term, and the most temporary bytes that a tile holds in any of its phases."""

    transpose_cycles: int
    dense_exchange_cycles: int
    bucket_exchange_cycles: int
    zero_cycles: int
    multiply_cycles: int
    reduce_exchange_cycles: int
    reduce_cycles: int
    temporary_bytes: int


def total_cycles(estimate: PassEstimate) -> int:
    """Return the sum of the terms."""
    return (
        estimate.transpose_cycles
        + estimate.dense_exchange_cycles
        + estimate.bucket_exchange_cycles
        + estimate.zero_cycles
        + estimate.multiply_cycles
        + estimate.reduce_exchange_cycles
        + estimate.reduce_cycles
    )


def shared_receive_cycles(problem: DynamicProblem, n_bytes: int, consecutive: int, receivers: int) -> int:
    """Return the cycles of a multicast: a multiple of the rate where all tiles of a bus receive the same data.

    Parameters
    ----------
    problem : DynamicProblem
        For the rate.
    n_bytes : int
        Bytes for each tile.
    consecutive, receivers : int
        Consecutive tiles that receive the same data, and all tiles that receive.
    """
    shared = consecutive == receivers or consecutive % problem.bus_tiles == 0
    return receive_cycles(n_bytes, problem.exchange_rate * (problem.bus_factor if shared else 1))


def bucket_size(problem: DynamicProblem, p_m: int, p_k: int, p_n: int) -> tuple[int, int]:
    """Return the groups of values and the metadata words of a forward bucket under a partition."""
    group_bytes = problem.block_size**2 * problem.data_bytes
    groups = bucket_groups(problem.non_zero_groups, p_m * p_k * p_n, problem.oversize, group_bytes, problem.atom_bytes)
    words = bucket_words(
        problem.block_size,
        problem.density,
        ceil_div(problem.m_groups, p_m),
        ceil_div(problem.k_groups, p_k),
        problem.oversize,
        1,
        problem.grad_w,
        problem.workers,
        problem.atom_bytes,
    )
    return groups, words


def grad_a_words(problem: DynamicProblem, p_m: int, p_k: int) -> int:
    """Return the metadata words of a bucket of the input gradient: the forward's where buckets are shared."""
    x_groups, y_groups = ceil_div(problem.k_groups, p_k), ceil_div(problem.m_groups, p_m)
    if problem.block_size > 1 or problem.shared_buckets:
        x_groups, y_groups = y_groups, x_groups
    separate = problem.block_size == 1 and not problem.shared_buckets
    return bucket_words(
        problem.block_size,
        problem.density,
        x_groups,
        y_groups,
        problem.oversize,
        2 if separate else 1,
        problem.grad_w and not separate,
        problem.workers,
        problem.atom_bytes,
    )


def _element_wise_cycles(
    problem: DynamicProblem, x_groups: int, y_groups: int, z_grains: int, z_grain: int, p_n: int, transposed: bool
) -> int:
    is_float = problem.data_bytes == 4
    rows = expected_rows(problem.density, x_groups, y_groups)
    length = expected_row_length(problem.density, x_groups, y_groups, rows)
    workers = problem.workers
    if transposed and problem.shared_buckets:
        share = ceil_div(x_groups, workers)
        return transpose_cycles(p_n, p_n, 1, length, z_grains * z_grain, 1, share, is_float, workers)
    slowest = 0
    for _, piece_rows, _, piece_grains in worker_pieces(rows, z_grains, workers):
        z = piece_grains * z_grain
        if transposed:
            cycles = grad_a_cycles(p_n, p_n, 1, piece_rows, z, 1, length, is_float, workers)
        else:
            cycles = forward_cycles(p_n, p_n, 1, piece_rows, z, 1, length, is_float, workers, problem.gather_elements)
        slowest = max(slowest, cycles)
    return slowest


def _block_cycles(
    problem: DynamicProblem, x_groups: int, y_groups: int, z_grains: int, z_grain: int, p_n: int, transposed: bool
) -> int:
    rows = expected_rows(problem.density, x_groups, y_groups)
    length = expected_row_length(problem.density, x_groups, y_groups, rows)
    if transposed:
        rows, length = length, rows
    is_float, float_partials = problem.data_bytes == 4, problem.partial_bytes == 4
    block_size, units, workers = problem.block_size, problem.conv_units, problem.workers
    slowest = 0
    for _, _, _, piece_grains in worker_pieces(1, z_grains, workers):
        z = piece_grains * z_grain
        cycles = block_cycles(
            p_n,
            p_n,
            1,
            rows,
            z,
            length,
            block_size,
            is_float,
            float_partials,
            units,
            not transposed,
            workers,
            0.0 if transposed else problem.column_slots,
            problem.list_fill_slots,
            problem.block_fill_slots,
        )
        slowest = max(slowest, cycles)
    return slowest


def pass_estimate(
    problem: DynamicProblem, p_m: int, p_k: int, p_n: int, z_grain: int, transposed: bool
) -> PassEstimate:
    """Return the planner's estimate of the forward pass or of the gradient of the dense input.

    Parameters
    ----------
    problem : DynamicProblem
        Sizes, formats, chip.
    p_m, p_k, p_n : int
        Partition of the forward pass.
    z_grain : int
        Columns of the dense operand that stay together.
    transposed : bool
        Gradient of the dense input: rows and columns swap, the reduction is over `p_m`.

    Returns
    -------
    PassEstimate
        Cycles by term, and the peak of the temporary bytes of a tile over the phases.
    """
    block = problem.block_size
    p_x, p_y = (p_k, p_m) if transposed else (p_m, p_k)
    x_all, y_all = (problem.k_groups, problem.m_groups) if transposed else (problem.m_groups, problem.k_groups)
    z_all = ceil_div(problem.n, z_grain)
    x_groups, y_groups, z_grains = ceil_div(x_all, p_x), ceil_div(y_all, p_y), ceil_div(z_all, p_n)
    used = p_m * p_k * p_n

    groups, words = bucket_size(problem, p_m, p_k, p_n)
    if transposed:
        words = grad_a_words(problem, p_m, p_k)
    value_bytes = groups * block * block * problem.data_bytes
    bucket_bytes = value_bytes + words * WORD_BYTES

    transpose, transposed_bytes = 0, 0
    if transposed and block > 1:
        transpose = bucket_transpose_cycles(groups, block, block, problem.data_bytes == 4, problem.workers)
        transposed_bytes = value_bytes

    # tiles are numbered k, n, m (m innermost), so neighbours share the dense input of the forward pass only
    dense_grain_bytes = block * z_grain * problem.data_bytes
    dense_bytes = y_groups * z_grains * dense_grain_bytes
    if dense_bytes <= ceil_div(y_all * z_all, used) * dense_grain_bytes:
        dense_bytes = 0
    dense_neighbours = p_x if not transposed or p_n * p_m == 1 else 1
    dense_exchange = shared_receive_cycles(problem, dense_bytes, dense_neighbours, used)
    bucket_exchange = 0
    if p_n > 1:
        bucket_exchange = shared_receive_cycles(problem, p_n * bucket_bytes, p_n if p_m == 1 else 1, used)

    partials = x_groups * block * z_grains * z_grain
    zero = zero_estimate_cycles(ceil_div(partials, problem.workers), problem.workers)
    if block == 1:
        multiply = _element_wise_cycles(problem, x_groups, y_groups, z_grains, z_grain, p_n, transposed)
    else:
        multiply = _block_cycles(problem, x_groups, y_groups, z_grains, z_grain, p_n, transposed)

    casts = problem.data_bytes != problem.partial_bytes
    partial_bytes = partials * problem.partial_bytes
    reduced = ceil_div(partials, p_y)
    reduce_exchange, reduce_compute = 0, 0
    if p_y > 1:
        reduce_exchange = receive_cycles(partial_bytes, problem.exchange_rate)
        reduce_compute = multi_input_cycles(
            reduced, p_y, problem.data_bytes == 4, problem.partial_bytes == 4, problem.workers
        )
    elif casts:
        reduce_compute = planner_cast_cycles(
            reduced,
            problem.data_path_bytes // problem.partial_bytes,
            problem.data_path_bytes // problem.data_bytes,
            problem.workers,
        )

    held = dense_bytes + transposed_bytes
    held_partials = partial_bytes if casts or p_n > 1 else 0
    gathered = held_partials + (partial_bytes if p_y > 1 else 0)
    temporary = max(
        held + (p_n - 1) * bucket_bytes + held_partials,
        held + 2 * bucket_bytes + held_partials,
        gathered + (reduced * problem.data_bytes if casts or p_y > 1 else 0),
    )
    return PassEstimate(
        transpose, dense_exchange, bucket_exchange, zero, multiply, reduce_exchange, reduce_compute, temporary
    )
