"""Cycles of the dynamic sparse vertices on the tiles of an actual placement.

All tiles of a region hold the same buckets and equally many batch columns, so they take the same time: the unit here is
the region. Bucket after bucket, the slowest worker counts. Source: reference/MODEL_DYNAMIC.md section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipusim.codelets import dynamic_block, dynamic_element_wise, dynamic_element_wise_transpose
from ipusim.codelets.dynamic_element_wise import chunked_worker_slots
from ipusim.codelets.dynamic_element_wise_transpose import transpose_worker_slots
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.worker_split import widest_share, worker_pieces
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_plan import DynamicPlan

IntArray = NDArray[np.int64]


class VertexCosts(NamedTuple):
    """Supervisor cycles of a pass: of a call, of scanning a sub-group that is not one's own (or a terminator), and of
    each piece (int64 array [pieces]).
    """

    call_cycles: int
    scan_cycles: int
    piece_cycles: IntArray


def forward_piece_slots(
    starts: IntArray,
    stops: IntArray,
    row_index: IntArray,
    row_starts: IntArray,
    z_grains: int,
    z_grain: int,
    float_input: bool,
    workers: int,
    gather_elements: int,
    out: IntArray,
) -> None:
    """Write the slots of the slowest worker of each element-wise piece to `out` (int64 array [pieces]).

    Rows are divided by number, not by weight. `row_starts` is int64 array [rows + 1].
    """
    for piece in range(len(starts)):
        start, stop = starts[piece], stops[piece]
        first = row_index[start]
        n_rows = row_index[stop - 1] - first + 1
        slowest = 0
        for row, height, _, width in worker_pieces(n_rows, z_grains, workers):
            begin = max(start, row_starts[first + row])
            end = min(stop, row_starts[first + row + height])
            slots = chunked_worker_slots(height, width * z_grain, end - begin, float_input, gather_elements)
            slowest = max(slowest, slots)
        out[piece] = slowest


def shared_row_lengths(
    starts: IntArray, stops: IntArray, row_index: IntArray, row_starts: IntArray, workers: int, out: IntArray
) -> None:
    """Write the sum over the rows of each piece of a worker's share of the row, rounded up, to `out`."""
    for piece in range(len(starts)):
        start, stop = starts[piece], stops[piece]
        total = 0
        for row in range(row_index[start], row_index[stop - 1] + 1):
            total += ceil_div(min(stop, row_starts[row + 1]) - max(start, row_starts[row]), workers)
        out[piece] = total


def element_wise_slots(placement: Placement, transposed: bool) -> IntArray:
    """Return the slots of the slowest worker of each element-wise piece: int64 array [pieces]."""
    plan = placement.plan
    is_float, workers = plan.problem.data_bytes == 4, plan.problem.workers
    runs = (placement.piece_start, placement.piece_stop, placement.row_index, placement.row_starts)
    slots = np.zeros(placement.piece_start.size, np.int64)
    if not transposed:
        grains = plan.z // plan.z_grain
        compiled(forward_piece_slots)(
            *runs, grains, plan.z_grain, is_float, workers, plan.problem.gather_elements, slots
        )
        return slots
    compiled(shared_row_lengths)(*runs, workers, slots)
    per_share = transpose_worker_slots(1, plan.z, 1, 1, is_float) - transpose_worker_slots(1, plan.z, 1, 0, is_float)
    per_row = transpose_worker_slots(1, plan.z, 1, 0, is_float) - transpose_worker_slots(0, plan.z, 1, 0, is_float)
    start = transpose_worker_slots(0, plan.z, 1, 0, is_float)
    return start + per_row * placement.piece_rows + per_share * slots


def element_wise_costs(placement: Placement, transposed: bool) -> VertexCosts:
    """Return the costs of the element-wise pieces of a placement, forward or scattering (`transposed`)."""
    own_cycles = (dynamic_element_wise_transpose if transposed else dynamic_element_wise).OWN_CYCLES
    cycles = own_cycles + placement.plan.problem.workers * element_wise_slots(placement, transposed)
    return VertexCosts(dynamic_element_wise.CALL_CYCLES, dynamic_element_wise.SCAN_CYCLES, cycles)


def widest_worker_columns(plan: DynamicPlan) -> int:
    """Return the most columns of the dense operand that one worker of a block vertex has."""
    return widest_share(plan.z // plan.z_grain, plan.problem.workers) * plan.z_grain


def block_costs(placement: Placement, transposed: bool) -> VertexCosts:
    """Return the costs of the block pieces of a placement, forward or transposed."""
    plan = placement.plan
    problem = plan.problem
    is_float, float_partials = problem.data_bytes == 4, problem.partial_bytes == 4
    block, units, workers = problem.block_size, problem.conv_units, problem.workers
    formats = (widest_worker_columns(plan), block, is_float, float_partials, units, not transposed, workers)
    lists = (0.0 if transposed else problem.column_slots, problem.list_fill_slots, problem.block_fill_slots)
    start = dynamic_block.piece_cycles(0, 0, *formats, *lists)
    per_row = dynamic_block.piece_cycles(1, 0, *formats, *lists) - start
    per_block = dynamic_block.piece_cycles(0, 1, *formats, *lists) - start
    cycles = start + per_row * placement.piece_rows + per_block * (placement.piece_stop - placement.piece_start)
    return VertexCosts(dynamic_block.CALL_CYCLES, dynamic_block.SCAN_CYCLES, cycles)


def pass_costs(placement: Placement, transposed: bool) -> VertexCosts:
    """Return the costs of a pass over the pieces of a placement."""
    if placement.plan.problem.block_size == 1:
        return element_wise_costs(placement, transposed)
    return block_costs(placement, transposed)


def distribution_cycles(placement: Placement, costs: VertexCosts) -> IntArray:
    """Return the cycles of each region's tiles over all buckets of the region: int64 array [p_m * p_k].

    A piece of another region, and the terminator of an empty bucket, is looked at and passed over.
    """
    plan = placement.plan
    n_regions = plan.p_m * plan.p_k
    region = placement.piece_bucket // plan.p_n
    own = region == placement.piece_home // plan.p_n
    cycles = np.bincount(region[own], costs.piece_cycles[own], n_regions)
    foreign = np.bincount(region[~own], minlength=n_regions)
    filled = np.bincount(np.unique(placement.piece_bucket) // plan.p_n, minlength=n_regions)
    cycles += costs.call_cycles + costs.scan_cycles * (foreign + plan.p_n - filled)
    return cycles.astype(np.int64)


def propagation_vertex_cycles(placement: Placement, costs: VertexCosts) -> list[int]:
    """Return the cycles of the slowest tile in each propagation step, in the order of the steps.

    In every one of the `p_n` steps at a distance, some tile of a region meets each of the buckets at that distance, and
    passes over the sub-groups that are not its own.
    """
    plan = placement.plan
    extent_x, extent_y, extent_z = placement.extent
    distances = [(x, y) for x in range(extent_x) for y in range(extent_y)][1:]
    if not distances:
        return []
    bucket, home = placement.piece_bucket, placement.piece_home // plan.p_n
    in_bucket = np.bincount(bucket, minlength=plan.n_tiles_used)
    pairs, first, inverse, n_own = np.unique(
        bucket * plan.p_m * plan.p_k + home, return_index=True, return_inverse=True, return_counts=True
    )
    cycles = np.bincount(inverse, costs.piece_cycles, pairs.size)
    cycles += costs.call_cycles + costs.scan_cycles * (in_bucket[bucket[first]] - n_own)
    region, home = bucket[first] // plan.p_n, home[first]
    delta_x = (home // plan.p_k - region // plan.p_k) % plan.p_m
    delta_y = (home % plan.p_k - region % plan.p_k) % plan.p_k
    idle = costs.call_cycles + costs.scan_cycles * max(1, int(in_bucket.max()))
    slowest = dict.fromkeys(distances, idle)
    for x, y, pair_cycles in zip(delta_x.tolist(), delta_y.tolist(), cycles.tolist(), strict=True):
        if (x, y) in slowest:
            slowest[x, y] = max(slowest[x, y], int(pair_cycles))
    return [slowest[distance] for distance in distances for _ in range(extent_z)]
