"""What the gradient of a static sparse weight costs, by mechanism, on the tiles that hold the weight's non-zeros.

There is no published planner or measurement of this pass: exchanges are those of the forward product, vertices are
derived from the dynamic ones (:mod:`ipusim.codelets.static_block_grad_w`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.codelets.registry import codelet
from ipusim.codelets.sparse_block_transpose_grad_w import block_transpose_grad_w_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.formats import number_format
from ipusim.kernels.jit import compiled
from ipusim.plan.dynamic_executed_grad_w import share_slots
from ipusim.plan.static_executed import Overheads
from ipusim.plan.static_partition import RunLayout, StaticPartition
from ipusim.plan.static_search import StaticPlan
from ipusim.plan.static_slices import amp_columns, slice_cases, slice_edges

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StaticGradientCycles:
    """Cycles by term; the terms add up.

    Attributes
    ----------
    gather : int
        Rows of the two dense operands that arrive.
    transpose : int
        Transposing them for the AMP.
    multiply : int
        The products.
    reduce_exchange, reduce : int
        Sums of the column intervals on their way, at the busiest receiver or sender, and adding them up (or the cast,
        where there is one interval).
    exchange_phases, compute_sets : int
        Overhead of the phases that occur.
    """

    gather: int
    transpose: int
    multiply: int
    reduce_exchange: int
    reduce: int
    exchange_phases: int
    compute_sets: int

    @property
    def total(self) -> int:
        """Sum of the terms."""
        return sum(int(getattr(self, field.name)) for field in fields(self))


def gradient_codelet(plan: StaticPlan) -> str:
    """Return the name of the vertex type."""
    return "static_element_wise_grad_w" if plan.block_size == 1 else "static_block_grad_w"


def vertex_block_size(plan: StaticPlan) -> int:
    """Return the edge of the blocks that vertices multiply: float32 has none of 16."""
    return 8 if plan.block_size == 16 and plan.dtype == "float32" else plan.block_size


def gradient_settings(plan: StaticPlan, partials: str, amp: bool) -> dict[str, object]:
    """Return the settings of the vertices."""
    return {"inputs": plan.dtype, "partials": partials, "vertex_block_size": vertex_block_size(plan), "amp": amp}


def gradient_fields(
    plan: StaticPlan, layout: RunLayout, n_cols: int, partials: str, amp: bool, workers: int
) -> dict[str, IntArray]:
    """Return the fields of the vertices of one column interval: an int64 array [n_runs] for each field.

    Parameters
    ----------
    plan : StaticPlan
    layout : RunLayout
        Of the interval.
    n_cols : int
        Columns of the interval.
    partials : str
        Format of the sums.
    amp : bool
        Vertices of the AMP; else every worker has an equal share of the non-zeros of a tile, in their order.
    workers : int
        Worker contexts of a tile.
    """
    size = vertex_block_size(plan)
    factor = plan.block_size // size
    rows, blocks = np.diff(layout.rows_indptr) * factor, np.diff(layout.blocks_indptr) * factor**2
    slots = np.zeros_like(blocks)
    if not amp:
        row_blocks = np.repeat(factor * layout.row_blocks, factor)
        compiled(share_slots)(
            layout.blocks_indptr[:-1] * factor**2,
            layout.blocks_indptr[1:] * factor**2,
            np.repeat(np.arange(row_blocks.size), row_blocks),
            n_cols,
            size,
            plan.dtype == "float32",
            partials == "float32",
            workers,
            slots,
        )
    if plan.block_size == 1:
        return {"worker_slots": slots}
    cols = np.full_like(blocks, amp_columns(plan, n_cols) if amp else n_cols)
    return {"rows": rows, "blocks": blocks, "worker_slots": slots, "cols": cols}


def executed_static_grad_w(
    partition: StaticPartition, chip: Chip, overheads: Overheads, partials: str, amp: bool, n_slices: int = 1
) -> StaticGradientCycles:
    """Return the cycles of the gradient, by term.

    Parameters
    ----------
    partition : StaticPartition
        The weight on the tiles: plan and pattern of its forward product.
    chip : Chip
    overheads : Overheads
        What phases cost.
    partials : str
        Format of the sums.
    amp : bool
        Vertices of the AMP.
    n_slices : int
        Serial slices of the columns.

    Notes
    -----
    Every slice has its own exchange, compute sets, calls and starts of rows and blocks. Adding to what the slices
    before have left costs nothing more: the vertices are derived from such as always do.
    """
    if partition.order.size == 0:
        return StaticGradientCycles(*[0] * len(fields(StaticGradientCycles)))
    plan = partition.plan
    rate = rate_sixteenths(chip.exchange_bytes_per_cycle)
    float_data, size, workers = plan.dtype == "float32", plan.block_size, chip.worker_contexts
    gather = transpose = multiply = 0
    formats = (size, float_data, workers)
    settings = gradient_settings(plan, partials, amp)
    known: dict[tuple[int, int], tuple[int, int, int]] = {}
    for cases in slice_cases(partition, slice_edges(partition, n_slices, amp)):
        for layout, n_cols in cases:
            if (id(layout), n_cols) in known:
                continue
            rows, cols = np.diff(layout.rows_indptr), layout.n_cols
            gathered = _received(rows, n_cols, plan, rate) + _received(cols, n_cols, plan, rate)
            found = gradient_fields(plan, layout, n_cols, partials, amp, workers)
            known[id(layout), n_cols] = (
                int(gathered.max()),
                _transposing(rows, cols, amp_columns(plan, n_cols), *formats) if amp else 0,
                _slowest(gradient_codelet(plan), found, settings, chip),
            )
        here = [known[id(layout), n_cols] for layout, n_cols in cases]
        gather += max(cycles[0] for cycles in here)
        transpose += max(cycles[1] for cycles in here)
        multiply += max(cycles[2] for cycles in here)
    elements, n_intervals = partition.order.size * size**2, partition.n_intervals
    reduce_exchange = reduce = 0
    if n_intervals > 1:
        share = ceil_div(elements, chip.n_tiles)
        sent = max(int(np.diff(layout.blocks_indptr).max()) for layout in partition.layouts) * size**2
        reduce_exchange = receive_cycles(max(n_intervals * share, sent) * number_format(partials).bytes, rate)
        outputs = np.array([share, elements - (ceil_div(elements, share) - 1) * share])
        found = {"outputs": outputs, "depth": np.full_like(outputs, n_intervals)}
        reduce = _slowest("reduce_add", found, {"partials": partials, "output": plan.dtype}, chip)
    elif partials != plan.dtype:
        most = max(int(np.diff(layout.blocks_indptr).max()) for layout in partition.layouts) * size**2
        reduce = _slowest("cast_1d", {"elements": np.array([most])}, {"input": partials, "output": plan.dtype}, chip)
    return StaticGradientCycles(
        gather=gather,
        transpose=transpose,
        multiply=multiply,
        reduce_exchange=reduce_exchange,
        reduce=reduce,
        exchange_phases=(n_slices + (n_intervals > 1)) * overheads.exchange_phase_cycles,
        compute_sets=(n_slices * (1 + amp) + (reduce > 0)) * overheads.compute_set_cycles,
    )


def _transposing(rows: IntArray, cols: IntArray, n_cols: int, block_size: int, float_data: bool, workers: int) -> int:
    """Return the cycles of the tile that takes longest to transpose its lines of both operands."""
    pairs = np.unique(np.stack([rows, cols], axis=1), axis=0).tolist()
    formats = (n_cols, block_size, float_data, workers)
    return max(sum(block_transpose_grad_w_cycles(count, *formats) for count in pair) for pair in pairs)


def _received(count: IntArray, n_cols: int, plan: StaticPlan, rate: int) -> IntArray:
    n_bytes = count * (n_cols * plan.block_size * number_format(plan.dtype).bytes)
    cycles: IntArray = -(-16 * n_bytes // rate)
    return cycles


def _slowest(name: str, found: dict[str, IntArray], settings: dict[str, Any], chip: Chip) -> int:
    vertex = codelet(name)
    cases = np.unique(np.stack([found[field] for field in vertex.fields], axis=1), axis=0)
    return max(vertex.cycles(dict(zip(vertex.fields, case, strict=True)), settings, chip) for case in cases.tolist())
