"""The plan of a static sparse matmul of a graph: the search's split, the real pattern on the tiles, the reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipusim.chip.model import Chip
from ipusim.plan.problem import PlanOptions
from ipusim.plan.sparse_problem import SparseProblem, SparseSums
from ipusim.plan.static_estimate import (
    COMPUTE,
    CYCLES,
    GATHER,
    MEMORY,
    MOVE,
    NON_ZEROS,
    PARTIALS,
    REDUCE,
    ZEROING,
)
from ipusim.plan.static_partition import RunLayout, StaticPartition, partition_static
from ipusim.plan.static_reduction import StaticReduction, plan_reduction
from ipusim.plan.static_search import StaticPlan, plan_static
from ipusim.plan.static_workers import codelet_of

IntArray = NDArray[np.int64]

TERMS = {
    "gather": GATHER,
    "non_zeros": NON_ZEROS,
    "multiply": COMPUTE,
    "zeroing": ZEROING,
    "partials": PARTIALS,
    "reduce": REDUCE,
    "move": MOVE,
}
"""Terms of the estimate by the names that reports use."""

UNBOUNDED_PROPORTION = float(1 << 20)


@dataclass(frozen=True, slots=True)
class StaticSparsePlan:
    """How a static sparse matmul runs.

    Attributes
    ----------
    problem : SparseProblem
    split : StaticPlan
        What the search chose, and its estimate.
    partition : StaticPartition
        The real pattern on the tiles.
    reduction : StaticReduction
        Where the partial sums are added up.
    memory_bound_bytes : int
        The bound of the temporary bytes that the split was found under.
    relaxed : bool
        True if no split met ``available_memory_proportion`` and the bound had to be raised.
    """

    problem: SparseProblem
    split: StaticPlan
    partition: StaticPartition
    reduction: StaticReduction
    memory_bound_bytes: int
    relaxed: bool

    @property
    def cycles(self) -> int:
        """Estimated cycles, the sum of the terms."""
        return int(self.split.terms[CYCLES])

    @property
    def tiles_used(self) -> int:
        """Number of tiles that multiply."""
        return sum(self.layout(interval).n_runs for interval in range(self.partition.n_intervals))

    def layout(self, interval: int) -> RunLayout:
        """Return how the blocks are dealt to the tiles of a column interval."""
        return self.partition.layouts[int(self.partition.layout_of[interval])]

    def stored_positions(self) -> IntArray:
        """Return where each value, in the order of the device, is in the stored tensor (row-major): int64 [n]."""
        size, m, k = self.split.block_size, self.problem.m, self.problem.k
        rows, cols = self.split.row_order[self.partition.rows], self.split.col_order[self.partition.cols]
        inside = np.arange(size, dtype=np.int64)
        if self.problem.weight_transposed:
            first, within = (cols * m + rows) * size, inside[None, :] * m + inside[:, None]
        else:
            first, within = (rows * k + cols) * size, inside[:, None] * k + inside[None, :]
        return (first[:, None] + within.reshape(1, -1)).reshape(-1)

    def sums(self) -> SparseSums:
        """Return how the products are added up: band by band, column by column; blocks are rounded one by one."""
        size, n_rows = self.split.block_size, self.split.row_order.size
        n_bands = len(self.partition.band_edges) - 1
        order = self.split.col_order[:, None] * size + np.arange(size, dtype=np.int64)
        bounds = {0, self.problem.k, *(int(edge) * size for edge in self.partition.band_edges)}
        blocks = runs = sources = 0
        for layout in self.partition.layouts:
            rows_of_run = np.diff(layout.rows_indptr)
            place = np.repeat(layout.band, rows_of_run) * n_rows + layout.rows
            in_band = np.bincount(place, weights=layout.row_blocks, minlength=n_bands * n_rows)
            blocks = max(blocks, int(in_band.max(initial=0)))
            runs = max(runs, int(np.bincount(place).max(initial=0)))
            sources = max(sources, int(np.bincount(layout.rows).max(initial=0)))
        roundings = runs if size == 1 else blocks
        return SparseSums(order.reshape(-1), tuple(sorted(bounds)), blocks * size, roundings, sources)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        problem, terms = self.problem, self.split.terms
        return {
            "strategy": "static_sparse",
            "partition": {"p_n": self.partition.n_intervals, "p_k": len(self.partition.band_edges) - 1},
            "vertex": codelet_of(self.split),
            "mode": problem.sparsity.mode,
            "block_size": self.split.block_size,
            "density": problem.blocks.density,
            "swapped": problem.output_transposed,
            "partials": self.split.partials,
            "reductions": self.reduction.n_groups,
            "most_partials": int(self.reduction.n_partials.max(initial=1)),
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {name: int(terms[index]) for name, index in TERMS.items() if terms[index]},
            "temporary_bytes": int(terms[MEMORY]),
            "memory_bound_bytes": self.memory_bound_bytes,
            "relaxed": self.relaxed,
            "runners_up": [],
        }


def plan_static_sparse(problem: SparseProblem, chip: Chip, options: PlanOptions) -> StaticSparsePlan | None:
    """Return the plan with the least estimated cycles under the memory bound, applied to the pattern.

    As for dense products, the bound is doubled until a split is found, up to twice the SRAM, and then dropped, unless
    the operands do not fit on the chip anyway; whether the real pattern fits is the memory map's to say.

    Parameters
    ----------
    problem : SparseProblem
        With float16 or float32 operands.
    chip : Chip
    options : PlanOptions

    Returns
    -------
    StaticSparsePlan or None
        None if no split meets the bound, or the 16-bit offsets of the vertices reach no split's operand.
    """
    proportion = options.available_memory_proportion
    may_relax = options.may_relax and problem.resident_bytes <= chip.n_tiles * chip.tile_sram_bytes
    while True:
        split = plan_static(
            problem.blocks, problem.n, problem.dtype, chip, proportion, partials=problem.partials_format
        )
        if split is not None or not may_relax or proportion == UNBOUNDED_PROPORTION:
            break
        proportion = proportion * 2 if proportion < 1 else UNBOUNDED_PROPORTION
    if split is None:
        return None
    bound = int(proportion * chip.tile_sram_bytes)
    return static_plan(problem, split, chip, bound, proportion > options.available_memory_proportion)


def static_plan(
    problem: SparseProblem, split: StaticPlan, chip: Chip, memory_bound_bytes: int, relaxed: bool = False
) -> StaticSparsePlan:
    """Return the plan of a given split: the pattern dealt to the tiles, and where its partial sums are added up."""
    partition = partition_static(problem.blocks, split, chip)
    return StaticSparsePlan(problem, split, partition, plan_reduction(partition, chip), memory_bound_bytes, relaxed)
