"""What a planned static sparse matmul costs when it runs on the real pattern, by mechanism.

Kept apart from the planner's estimate, which only decides between plans. Every term is the slowest tile's; an exchange
takes as long as the tile that receives or sends most. Nothing is fitted to sparse measurements. Source:
reference/MODEL_STATIC_MECHANISMS.md section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipusim.codelets.registry import codelet
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.grouped_reduction import reduce_cycles
from ipusim.plan.static_chip import SparseChip
from ipusim.plan.static_gather import shared_cols
from ipusim.plan.static_partition import RunLayout, StaticPartition, single_rows
from ipusim.plan.static_reduction import StaticReduction, plan_reduction
from ipusim.plan.static_workers import codelet_of, gather_elements_of, multiply_settings, vertex_fields


class Overheads(Protocol):
    """What phases cost besides the work in them."""

    @property
    def exchange_phase_cycles(self) -> int:
        """Cycles of an exchange phase without payload."""

    @property
    def compute_set_cycles(self) -> int:
        """Cycles of a compute set without vertices."""


@dataclass(frozen=True, slots=True)
class StaticCycles:
    """Cycles by term; the terms add up.

    Attributes
    ----------
    gather : int
        Block rows of the dense operand that arrive (with the non-zeros, for block size 1).
    non_zeros : int
        Non-zero blocks that arrive, if the columns are cut into intervals and tiles share them.
    multiply : int
        The products, and the zeroing of float32 partial sums before them.
    copy : int
        Rows of a single source, moved to their place.
    reduce_exchange, reduce : int
        Partial sums that arrive, and adding them up.
    move : int
        Results of balanced groups, moved to their place.
    exchange_phases, compute_sets : int
        Overhead of the phases that occur.
    """

    gather: int
    non_zeros: int
    multiply: int
    copy: int
    reduce_exchange: int
    reduce: int
    move: int
    exchange_phases: int
    compute_sets: int

    @property
    def total(self) -> int:
        """Sum of the terms."""
        return sum(int(getattr(self, field.name)) for field in fields(self))


def executed_cycles(
    partition: StaticPartition, chip: SparseChip, overheads: Overheads, reduction: StaticReduction | None = None
) -> StaticCycles:
    """Return the cycles of one product, by term.

    Parameters
    ----------
    partition : StaticPartition
        Plan and pattern.
    chip : SparseChip
    overheads : Overheads
        What phases cost; the chip's, not refitted.
    reduction : StaticReduction, optional
        The result of :func:`~ipusim.plan.static_reduction.plan_reduction`, if it is at hand.
    """
    if partition.order.size == 0:
        return StaticCycles(*[0] * len(fields(StaticCycles)))
    reduction = reduction or plan_reduction(partition, chip)
    rate = int(chip.exchange_bytes_per_cycle)
    plan = partition.plan
    gathered = non_zeros = multiply = copied = shared = 0
    for layout, n_cols in _cases(partition):
        here, stored = _arriving_cycles(partition, layout, n_cols, chip)
        alone, others = leaving_bytes(partition, layout, n_cols)
        together = plan.block_size == 1
        gathered = max(gathered, int((here + stored if together else here).max()))
        non_zeros = max(non_zeros, 0 if together else int(stored.max()))
        copied, shared = max(copied, int(alone.max())), max(shared, int(others.max()))
        multiply = max(multiply, _multiply_cycles(partition, layout, n_cols, chip))
    gathered = max(gathered, ceil_div(_operand_share(partition, chip), rate))
    copied = max(copied, int(reduction.copied_bytes.max()))
    shared = max(shared, int(reduction.received_bytes.max()))
    moved = max(int(reduction.moved_bytes.max()), int(reduction.sent_home_bytes.max()))
    summed = reduction.n_groups > 0
    phases = 1 + (non_zeros > 0) + (copied > 0) + summed + (moved > 0)
    return StaticCycles(
        gather=gathered,
        non_zeros=non_zeros,
        multiply=multiply,
        copy=ceil_div(copied, rate),
        reduce_exchange=ceil_div(shared, rate),
        reduce=max(reduce_cycles(int(s), int(longest), chip.worker_contexts) for s, longest in reduction.slots),
        move=ceil_div(moved, rate),
        exchange_phases=phases * overheads.exchange_phase_cycles,
        compute_sets=(1 + summed) * overheads.compute_set_cycles,
    )


def _cases(partition: StaticPartition) -> list[tuple[RunLayout, int]]:
    """Return every pair of a layout and a width that occurs; intervals with the same pair cost the same."""
    widths = np.diff(partition.col_edges).tolist()
    pairs = sorted(set(zip(partition.layout_of.tolist(), widths, strict=True)))
    return [(partition.layouts[layout], int(width)) for layout, width in pairs]


def _arriving_cycles(
    partition: StaticPartition, layout: RunLayout, n_cols: int, chip: SparseChip
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cycles in which each run receives the dense operand, and those for non-zeros."""
    plan = partition.plan
    rate = int(chip.exchange_bytes_per_cycle)
    element_bytes = 4 if plan.dtype == "float32" else 2
    col_bytes = n_cols * plan.block_size * element_bytes
    shared = shared_cols(partition, layout, chip)
    alone = -(-np.where(shared > 0, 0, layout.n_cols) * col_bytes // rate)
    dense = alone + -(-shared * col_bytes // (chip.exchange_bus_rate_factor * rate))
    stored = -(-np.diff(layout.blocks_indptr) * (plan.block_size**2 * element_bytes) // rate)
    return dense, stored if plan.n_splits > 1 else np.zeros_like(stored)


def leaving_bytes(
    partition: StaticPartition, layout: RunLayout, n_cols: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bytes of partial rows that each run sends: rows without another source, and the others."""
    plan = partition.plan
    alone = single_rows(layout, plan.row_order.size)
    row_elements = n_cols * plan.block_size
    data_bytes, partial_bytes = (4 if name == "float32" else 2 for name in (plan.dtype, plan.partials))
    others = np.diff(layout.rows_indptr) - alone
    return alone * (row_elements * data_bytes), others * (row_elements * partial_bytes)


def _operand_share(partition: StaticPartition, chip: SparseChip) -> int:
    """Return the bytes of the dense operand that each tile sends: its share, once."""
    plan = partition.plan
    element_bytes = 4 if plan.dtype == "float32" else 2
    return ceil_div(plan.shape[1] * plan.shape[2], chip.n_tiles) * element_bytes


def _multiply_cycles(partition: StaticPartition, layout: RunLayout, n_cols: int, chip: SparseChip) -> int:
    plan = partition.plan
    vertex = codelet(codelet_of(plan))
    columns = vertex_fields(plan, layout, n_cols, chip.worker_contexts, gather_elements_of(plan, chip))
    settings = multiply_settings(plan)
    cases = np.unique(np.stack([columns[name] for name in vertex.fields], axis=1), axis=0)
    return max(vertex.cycles(dict(zip(vertex.fields, case, strict=True)), settings, chip) for case in cases.tolist())
