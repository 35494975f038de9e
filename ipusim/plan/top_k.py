"""Plans of rankings: how rows, and parts of rows, are cut over the tiles."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ipusim.chip.model import Chip
from ipusim.codelets.heap_top_k import vertex_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.reduction import axis_of
from ipusim.plan.axis_reduction import AxisSplit
from ipusim.plan.problem import PlanOptions
from ipusim.plan.tile_plan import TilePlan

INDEX_BYTES = 4


@dataclass(frozen=True, slots=True)
class TopKPlan(TilePlan):
    """How one ranking is cut over the tiles.

    Attributes
    ----------
    shape : tuple of three int
        Of the operand, with the ranked axis in the middle.
    kept : int
        Elements of each row that are wanted.
    split : AxisSplit
    """

    strategy: ClassVar[str] = "ranking"

    shape: tuple[int, int, int]
    kept: int
    split: AxisSplit

    @property
    def partition(self) -> dict[str, int]:
        """The split as reports show it."""
        return {"p_rows": self.split.outer * self.split.inner, "p_parts": self.split.reduced}


def plan_top_k(graph: Graph, op: Op, chip: Chip, _options: PlanOptions) -> TopKPlan:
    """Return the cut with the least estimated cycles: rows over the tiles first, then parts of each row.

    Parts are at least as long as what is wanted of them. They are tried by powers of two.
    """
    x = graph.tensors[op.inputs[0]]
    axis = axis_of(x, op.attrs)
    kept = int(str(op.attrs["k"]))
    shape = (prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :]))
    p_outer = min(shape[0], chip.n_tiles)
    p_inner = min(shape[2], chip.n_tiles // p_outer)
    most = min(shape[1] // kept, chip.n_tiles // (p_outer * p_inner))
    splits = [AxisSplit(p_outer, 1 << bit, p_inner) for bit in range(most.bit_length()) if 1 << bit <= most]
    size = number_format(x.dtype).bytes
    found = [(top_k_terms(shape, kept, split, size, chip), split) for split in splits]
    (terms, temporary), split = min(found, key=lambda each: (sum(each[0][0].values()), each[1]))
    return TopKPlan("heap_top_k", terms, temporary, shape, kept, split)


def top_k_terms(
    shape: tuple[int, int, int], kept: int, split: AxisSplit, element_bytes: int, chip: Chip
) -> tuple[dict[str, int], int]:
    """Return the estimated cycles of a cut, and the temporary bytes of its largest tile."""
    rows = ceil_div(shape[0], split.outer) * ceil_div(shape[2], split.inner)
    workers = chip.worker_contexts
    terms = {"rank": vertex_cycles(rows, ceil_div(shape[1], split.reduced), kept, workers)}
    if split.reduced == 1:
        return terms, 0
    candidate_bytes = rows * split.reduced * kept * (element_bytes + INDEX_BYTES)
    received = candidate_bytes // split.reduced * (split.reduced - 1)
    phase = chip.sync_cycles + chip.exchange_mux_cycles + chip.exchange_tail_cycles
    terms["partials"] = receive_cycles(received, rate_sixteenths(chip.exchange_bytes_per_cycle))
    terms["merge"] = vertex_cycles(rows, split.reduced * kept, kept, workers)
    terms["phases"] = int(phase + chip.exchange_phase_overhead_cycles + chip.compute_set_overhead_cycles)
    return terms, candidate_bytes
