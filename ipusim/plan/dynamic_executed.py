"""What a planned dynamic sparse product costs when it runs, with the actual pattern in its buckets.

Kept apart from the planner's estimate, which decides between plans only. Every term is a mechanism: exchange by bytes,
compute by the slowest tile, control by phase. Source: reference/MODEL_DYNAMIC.md section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ipusim.chip.model import Chip
from ipusim.codelets.cast_1d import planner_cast_cycles
from ipusim.codelets.reduce_add import vertex_cycles
from ipusim.codelets.sparse_bucket_transpose import bucket_transpose_cycles
from ipusim.codelets.sparse_zero import zero_executed_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.dynamic_overheads import DynamicOverheads
from ipusim.cost.exchange import receive_cycles
from ipusim.plan.dynamic_partition import Placement
from ipusim.plan.dynamic_vertices import distribution_cycles, pass_costs, propagation_vertex_cycles


@dataclass(frozen=True, slots=True)
class ExecutedCycles:
    """Cycles of one pass by term, each the slowest tile's.

    Attributes
    ----------
    transpose : int
        Transpose of the blocks of a bucket (gradient of the dense input).
    dense_exchange, bucket_exchange : int
        Dense operand, and buckets of the other tiles of the region, at the receiver's rate.
    bucket_gap : int
        The fitted gap before each of those buckets.
    zero, multiply : int
        Zeroing of the partial sums, and the products.
    propagation : int
        Exchanges, products and control of the propagation steps.
    reduce_exchange, reduce : int
        Partial sums of the other tiles, and adding them up (or the cast).
    exchange_phases, compute_sets : int
        Overhead of the phases outside propagation.
    control : int
        Deciding at run time whether to propagate.
    """

    transpose: int
    dense_exchange: int
    bucket_exchange: int
    bucket_gap: int
    zero: int
    multiply: int
    propagation: int
    reduce_exchange: int
    reduce: int
    exchange_phases: int
    compute_sets: int
    control: int

    @property
    def total(self) -> int:
        """Sum of the terms."""
        return sum(int(getattr(self, field.name)) for field in fields(self))


def executed_pass(
    placement: Placement, chip: Chip, overheads: DynamicOverheads, transposed: bool = False
) -> ExecutedCycles:
    """Return the cycles of the forward pass, or of the gradient of the dense input (`transposed`), by term.

    Parameters
    ----------
    placement : Placement
        Plan and pattern.
    chip : Chip
        For the memory that decides between reduction vertices.
    overheads : DynamicOverheads
        What phases and control cost.
    transposed : bool
        Rows and columns swap; blocks are transposed on the tile first, and the reduction is over `p_m`.

    Raises
    ------
    ValueError
        For the gradient with element-wise buckets of its own, which is planned but has no executed cost.

    Notes
    -----
    The dense operand arrives at the rate of one receiver: the planner assumes that neighbours share a bus, the
    measurements speak against it (reference/MODEL_DYNAMIC.md sections 1 and 6).
    """
    plan = placement.plan
    problem = plan.problem
    if transposed and problem.block_size == 1 and not problem.shared_buckets:
        raise ValueError("the executed cost of the input gradient needs shared buckets")
    block, workers, rate = problem.block_size, problem.workers, problem.exchange_rate
    p_x, p_y = (plan.p_k, plan.p_m) if transposed else (plan.p_m, plan.p_k)
    x_groups, y_groups = (plan.y_groups, plan.x_groups) if transposed else (plan.x_groups, plan.y_groups)
    partials = x_groups * block * plan.z
    bucket_bytes = plan.bucket_bytes

    transposes = transposed and block > 1
    transpose = 0
    if transposes:
        transpose = bucket_transpose_cycles(plan.bucket_groups, block, block, problem.data_bytes == 4, workers)
    dense = receive_cycles(y_groups * block * plan.z * problem.data_bytes, rate) if p_x > 1 else 0
    buckets = (plan.p_n - 1) * receive_cycles(bucket_bytes, rate)
    costs = pass_costs(placement, transposed)
    multiply = int(distribution_cycles(placement, costs).max())

    steps = propagation_vertex_cycles(placement, costs)
    propagation = steps_cycles(steps, bucket_bytes, rate, overheads)

    outputs = ceil_div(partials, p_y)
    float_out, float_partials = problem.data_bytes == 4, problem.partial_bytes == 4
    reduce_exchange, reduce = 0, 0
    if p_y > 1:
        reduce_exchange = receive_cycles(outputs * problem.partial_bytes * (p_y - 1), rate)
        memory = (chip.tile_sram_bytes, chip.sram_element_bytes)
        rows = problem.k_groups if transposed else problem.m_groups
        last_rows = rows - (p_x - 1) * x_groups
        reduce = max(
            vertex_cycles(share, p_y, float_out, float_partials, False, *memory, workers)
            for share in share_sizes(partials, p_y) | share_sizes(last_rows * block * plan.z, p_y)
        )
    elif float_out != float_partials:
        reduce = planner_cast_cycles(
            outputs,
            problem.data_path_bytes // problem.partial_bytes,
            problem.data_path_bytes // problem.data_bytes,
            workers,
        )

    n_exchanges = (dense + buckets > 0) + (reduce_exchange > 0)
    n_sets = 2 + transposes + (reduce > 0)
    return ExecutedCycles(
        transpose=transpose,
        dense_exchange=dense,
        bucket_exchange=buckets,
        bucket_gap=(plan.p_n - 1) * overheads.bucket_gap_cycles,
        zero=zero_executed_cycles(partials, problem.data_path_bytes // problem.partial_bytes, workers),
        multiply=multiply,
        propagation=propagation,
        reduce_exchange=reduce_exchange,
        reduce=reduce,
        exchange_phases=n_exchanges * overheads.exchange_phase_cycles,
        compute_sets=n_sets * overheads.compute_set_cycles,
        control=overheads.control_cycles,
    )


def share_sizes(elements: int, parts: int) -> set[int]:
    """Return the sizes of the runs in which tiles add up partial sums; the shorter ones may take longer vertices."""
    share = ceil_div(elements, parts)
    return {share, elements - (ceil_div(elements, share) - 1) * share}


def steps_cycles(steps: list[int], bucket_bytes: int, exchange_rate: int, overheads: DynamicOverheads) -> int:
    """Return the cycles of all propagation steps: their vertices, a bucket's way, control; and the start of the loop.

    Parameters
    ----------
    steps : list of int
        Cycles of the slowest vertex of each step; empty when nothing is propagated.
    bucket_bytes, exchange_rate : int
        Bytes of a bucket; sixteenths of a byte received per cycle.
    overheads : DynamicOverheads
        What phases and control cost.
    """
    if not steps:
        return 0
    travel = receive_cycles(bucket_bytes, exchange_rate)
    start = 2 * overheads.exchange_phase_cycles + travel
    return start + sum(steps) + len(steps) * (travel + overheads.step_cycles)
