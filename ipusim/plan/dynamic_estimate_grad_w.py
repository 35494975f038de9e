"""The planner's estimate of the gradient of the weights at the non-zeros, for one partition.

The batch is divided over `p_n` tiles, so every tile of a row and column partition has to see all the others' data once:
either the buckets travel round the ring, or the dense operands do. There is no reduction over tiles.
Source: reference/sparse.md sections 2.5 and 2.9.
"""

from __future__ import annotations

from typing import NamedTuple

from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.dynamic_block_grad_w import amp_grad_w_cycles, block_grad_w_cycles
from ipusim.codelets.dynamic_element_wise_grad_w import grad_w_cycles
from ipusim.codelets.sparse_block_transpose_grad_w import block_transpose_grad_w_cycles
from ipusim.codelets.sparse_zero import zero_estimate_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_non_zeros import WORD_BYTES, expected_row_length, expected_rows
from ipusim.cost.exchange import receive_cycles
from ipusim.plan.dynamic_estimate import bucket_size, shared_receive_cycles
from ipusim.plan.dynamic_problem import DynamicProblem


class GradWEstimate(NamedTuple):
    """Estimated cycles of the weight gradient by term, and the most temporary bytes of a tile."""

    pre_exchange_cycles: int
    transpose_cycles: int
    exchange_cycles: int
    zero_cycles: int
    multiply_cycles: int
    cast_cycles: int
    temporary_bytes: int


def grad_w_total_cycles(estimate: GradWEstimate) -> int:
    """Return the sum of the terms."""
    return (
        estimate.pre_exchange_cycles
        + estimate.transpose_cycles
        + estimate.exchange_cycles
        + estimate.zero_cycles
        + estimate.multiply_cycles
        + estimate.cast_cycles
    )


def _step_cycles(problem: DynamicProblem, x_groups: int, y_groups: int, z: int, amp: bool) -> int:
    rows = expected_rows(problem.density, x_groups, y_groups)
    length = expected_row_length(problem.density, x_groups, y_groups, rows)
    is_float, float_partials = problem.data_bytes == 4, problem.partial_bytes == 4
    block, workers = problem.block_size, problem.workers
    if amp:
        units = problem.conv_units
        return amp_grad_w_cycles(1, 1, rows, z, 1, length, block, is_float, float_partials, units, workers)
    non_zeros = rows * length
    share = ceil_div(non_zeros, workers)
    slowest = 0
    for worker in range(ceil_div(non_zeros, share)):
        first, last = worker * share, min(non_zeros, (worker + 1) * share)
        touched = ceil_div(last, length) - first // length
        if block == 1:
            cycles = grad_w_cycles(1, 1, touched, z, last - first, is_float, workers)
        else:
            cycles = block_grad_w_cycles(1, 1, touched, z, last - first, block, is_float, float_partials, workers)
        # the vertex formula repeats the list of row lengths for each row, so the mean is meant
        slowest = max(slowest, ceil_div(cycles, touched))
    return slowest


def grad_w_estimate(
    problem: DynamicProblem, p_m: int, p_k: int, p_n: int, z_grain: int, amp: bool, exchange_buckets: bool
) -> GradWEstimate:
    """Return the planner's estimate of the weight gradient.

    Parameters
    ----------
    problem : DynamicProblem
        Sizes, formats, chip.
    p_m, p_k, p_n : int
        Partition of the forward pass.
    z_grain : int
        Batch columns that stay together.
    amp : bool
        Blocks by the AMP vertex, which needs both dense operands transposed.
    exchange_buckets : bool
        Buckets travel (True) or dense operands do (False).

    Returns
    -------
    GradWEstimate
        Cycles by term and temporary bytes. In the peak without travelling buckets, the bytes of the metadata stand
        where those of the partial sums are meant, as in the library.
    """
    block, workers = problem.block_size, problem.workers
    z_all = ceil_div(problem.n, z_grain)
    x_groups, y_groups = ceil_div(problem.m_groups, p_m), ceil_div(problem.k_groups, p_k)
    z_grains = ceil_div(z_all, p_n)
    used = p_m * p_k * p_n
    grain_bytes = block * z_grain * problem.data_bytes
    grads_bytes = x_groups * z_grains * grain_bytes
    inputs_bytes = y_groups * z_grains * grain_bytes
    groups, words = bucket_size(problem, p_m, p_k, p_n)
    elements = groups * block * block
    word_bytes = words * WORD_BYTES
    travelling_bytes = word_bytes + elements * problem.partial_bytes

    held_grads = grads_bytes if grads_bytes > ceil_div(problem.m_groups * z_all, used) * grain_bytes else 0
    held_inputs = inputs_bytes if inputs_bytes > ceil_div(problem.k_groups * z_all, used) * grain_bytes else 0
    # order of the tiles: k, n, m (m innermost) when buckets travel, else m, k, n
    if exchange_buckets:
        grads_neighbours = p_k if p_n * p_m == 1 else 1
        inputs_neighbours = p_m
    else:
        grads_neighbours = p_k if p_n == 1 else 1
        inputs_neighbours = p_m if p_k * p_n == 1 else 1
    pre_exchange = shared_receive_cycles(problem, held_grads, grads_neighbours, used)
    pre_exchange += shared_receive_cycles(problem, held_inputs, inputs_neighbours, used)
    pre_bytes = held_grads + held_inputs

    transpose, transpose_bytes = 0, 0
    if amp:
        z = z_grains * z_grain
        is_float = problem.data_bytes == 4
        transpose = block_transpose_grad_w_cycles(x_groups, z, block, is_float, workers)
        transpose += block_transpose_grad_w_cycles(y_groups, z, block, is_float, workers)
        transpose_bytes = pre_bytes + grads_bytes + inputs_bytes
        held_grads, held_inputs = grads_bytes, inputs_bytes

    exchange = 0
    if p_n > 1 and exchange_buckets:
        exchange = p_n * receive_cycles(travelling_bytes, problem.exchange_rate)
    elif p_n > 1:
        exchange = p_n * shared_receive_cycles(problem, grads_bytes, p_n, used)
        exchange += p_n * shared_receive_cycles(problem, inputs_bytes, p_n, used)

    zero = zero_estimate_cycles(ceil_div(elements, workers), workers)
    step = _step_cycles(problem, ceil_div(x_groups, p_n), y_groups, z_grains * z_grain, amp)
    casts = problem.data_bytes != problem.partial_bytes
    cast = 0
    kept_bytes = word_bytes if casts else 0
    if casts:
        cast = planner_cast_cycles(
            elements,
            problem.data_path_bytes // problem.partial_bytes,
            problem.data_path_bytes // problem.data_bytes,
            workers,
        )
    if exchange_buckets:
        during = held_grads + held_inputs + 2 * travelling_bytes
    else:
        during = kept_bytes + 2 * (held_grads + held_inputs)
    after = kept_bytes + (elements * problem.data_bytes if casts else 0)
    temporary = max(pre_bytes, transpose_bytes, during, after)
    return GradWEstimate(pre_exchange, transpose, exchange, zero, step * p_n, cast, temporary)
