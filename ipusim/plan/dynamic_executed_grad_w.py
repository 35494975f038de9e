"""What the gradient of the weights costs when it runs, with the actual pattern in its buckets.

There are no measurements of this pass: the mechanisms are those of the forward pass, the vertices the published
estimates on the actual rows and blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.dynamic_block_grad_w import amp_piece_cycles, plain_piece_slots
from ipusim.codelets.dynamic_element_wise_grad_w import CALL_CYCLES, OWN_CYCLES, grad_w_worker_slots
from ipusim.codelets.sparse_block_transpose_grad_w import block_transpose_grad_w_cycles
from ipusim.codelets.sparse_zero import zero_executed_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_non_zeros import WORD_BYTES
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.cost.exchange import receive_cycles
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_executed import ExecutedCycles, steps_cycles
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_vertices import VertexCosts, propagation_vertex_cycles

IntArray = NDArray[np.int64]


def share_slots(
    starts: IntArray,
    stops: IntArray,
    row_index: IntArray,
    z: int,
    block_size: int,
    float_input: bool,
    float_partials: bool,
    workers: int,
    out: IntArray,
) -> None:
    """Write the slots of the slowest worker of each piece to `out`: equal shares of the non-zeros in row order.

    Parameters
    ----------
    starts, stops, row_index, out : int64 arrays
        As in :mod:`ipusim.plan.dynamic_vertices`.
    z, block_size, workers : int
        Batch columns of a tile, edge of a block, worker contexts.
    float_input, float_partials : bool
        Formats.
    """
    for piece in range(len(starts)):
        start, stop = starts[piece], stops[piece]
        share = ceil_div(stop - start, workers)
        slowest = 0
        begin = start
        while begin < stop:
            end = min(stop, begin + share)
            rows = row_index[end - 1] - row_index[begin] + 1
            if block_size > 1:
                slots = plain_piece_slots(rows, end - begin, z, block_size, float_input, float_partials)
            else:
                slots = grad_w_worker_slots(rows, z, 0, float_input)
                slots += grad_w_worker_slots(1, z, end - begin, float_input) - grad_w_worker_slots(1, z, 0, float_input)
            slowest = max(slowest, slots)
            begin = end
        out[piece] = slowest


def grad_w_costs(placement: Placement) -> VertexCosts:
    """Return the costs of the weight-gradient vertices over the pieces of a placement."""
    plan = placement.plan
    problem = plan.problem
    is_float, float_partials = problem.data_bytes == 4, problem.partial_bytes == 4
    block, workers = problem.block_size, problem.workers
    if plan.amp_grad_w:
        formats = (plan.z, block, is_float, float_partials, problem.conv_units, workers)
        base = amp_piece_cycles(1, 1, *formats)
        per_row = amp_piece_cycles(2, 1, *formats) - base
        per_block = amp_piece_cycles(1, 2, *formats) - base
        sizes = placement.piece_stop - placement.piece_start
        cycles = base + per_row * (placement.piece_rows - 1) + per_block * (sizes - 1)
        return VertexCosts(CALL_CYCLES, 0, cycles)
    return VertexCosts(CALL_CYCLES, 0, OWN_CYCLES + workers * slowest_slots(placement))


def slowest_slots(placement: Placement) -> IntArray:
    """Return the slots of the slowest worker of each piece of a vertex without AMP: int64 array [pieces]."""
    problem = placement.plan.problem
    slots = np.zeros(placement.piece_start.size, np.int64)
    compiled(share_slots)(
        placement.piece_start,
        placement.piece_stop,
        placement.row_index,
        placement.plan.z,
        problem.block_size,
        problem.data_bytes == 4,
        problem.partial_bytes == 4,
        problem.workers,
        slots,
    )
    return slots


def executed_grad_w(placement: Placement, overheads: DynamicOverheads) -> ExecutedCycles:
    """Return the cycles of the weight gradient by term.

    In each of the `p_n` steps some tile of a region works on the fullest bucket of the region, whichever operand
    travels. Spilled pieces need the propagation steps of the forward pass, and the buckets have to return home.

    Parameters
    ----------
    placement : Placement
        Plan and pattern; the plan has to include the pass.
    overheads : DynamicOverheads
        What phases and control cost.

    Raises
    ------
    ValueError
        When the weight gradient was not planned.
    """
    plan = placement.plan
    problem = plan.problem
    estimate = plan.grad_w
    if estimate is None:
        raise ValueError("the plan does not include the gradient of the weights")
    is_float, workers, rate = problem.data_bytes == 4, problem.workers, problem.exchange_rate
    block, elements = problem.block_size, plan.bucket_groups * problem.block_size**2
    column_bytes = block * plan.z * problem.data_bytes
    rows = receive_cycles(plan.x_groups * column_bytes, rate)
    cols = receive_cycles(plan.y_groups * column_bytes, rate)
    dense = rows * (plan.p_k > 1) + cols * (plan.p_m > 1)

    transpose = 0
    if plan.amp_grad_w:
        transpose = block_transpose_grad_w_cycles(plan.x_groups, plan.z, block, is_float, workers)
        transpose += block_transpose_grad_w_cycles(plan.y_groups, plan.z, block, is_float, workers)

    bucket_bytes = plan.bucket_words * WORD_BYTES + elements * problem.partial_bytes
    travelling = receive_cycles(bucket_bytes, rate) if plan.exchange_buckets else rows + cols
    ring_steps = plan.p_n if plan.p_n > 1 else 0

    costs = grad_w_costs(placement)
    own = placement.piece_bucket // plan.p_n == placement.piece_home // plan.p_n
    buckets = np.bincount(placement.piece_bucket[own], costs.piece_cycles[own], plan.n_tiles_used)
    step = costs.call_cycles + int(buckets.max())

    steps = propagation_vertex_cycles(placement, costs)
    propagation = steps_cycles(steps, bucket_bytes, rate, overheads)
    if steps:
        extent_x, extent_y, _ = placement.extent
        home = (-(extent_x - 1)) % plan.p_m + (-(extent_y - 1)) % plan.p_k
        propagation += home * (receive_cycles(bucket_bytes, rate) + overheads.exchange_phase_cycles)

    casts = problem.data_bytes != problem.partial_bytes
    cast = 0
    if casts:
        cast = planner_cast_cycles(
            elements,
            problem.data_path_bytes // problem.partial_bytes,
            problem.data_path_bytes // problem.data_bytes,
            workers,
        )
    n_exchanges = (dense > 0) + ring_steps
    n_sets = 1 + plan.p_n + plan.amp_grad_w + casts
    return ExecutedCycles(
        transpose=transpose,
        dense_exchange=dense,
        bucket_exchange=ring_steps * travelling,
        bucket_gap=0,
        zero=zero_executed_cycles(elements, problem.data_path_bytes // problem.partial_bytes, workers),
        multiply=step * plan.p_n,
        propagation=propagation,
        reduce_exchange=0,
        reduce=cast,
        exchange_phases=n_exchanges * overheads.exchange_phase_cycles,
        compute_sets=n_sets * overheads.compute_set_cycles,
        control=overheads.control_cycles,
    )
