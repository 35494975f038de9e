"""Plans of pooling operators: how channels and field are cut over the tiles."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ipusim.chip.model import Chip
from ipusim.codelets.pool import vertex_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.pooling import pooling_window
from ipusim.plan.conv_estimate import ConvSplit, ConvVariant, span
from ipusim.plan.conv_problem import ConvProblem
from ipusim.plan.dense import machine_of
from ipusim.plan.dense_estimate import rearrange_cycles
from ipusim.plan.dense_search import distinct_splits

POOLS = ("avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d")
"""Operators that this planner plans."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """How one pooling operator is cut over the tiles.

    Attributes
    ----------
    problem : ConvProblem
        Windows over one image with a group for every channel of every image.
    largest : bool
        The largest element rather than the mean.
    include_padding : bool
        Zeros of the padding count as elements of the mean.
    split : ConvSplit
    terms : dict of str to int
        Estimated cycles.
    """

    problem: ConvProblem
    largest: bool
    include_padding: bool
    split: ConvSplit
    terms: dict[str, int]

    @property
    def variant(self) -> ConvVariant:
        """Channels stand alone."""
        return ConvVariant(0, 0, 1, 1, 1)

    @property
    def cycles(self) -> int:
        """Estimated cycles, the sum of the terms."""
        return sum(self.terms.values())

    @property
    def tiles_used(self) -> int:
        """Number of tiles with work."""
        return prod(self.split)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values."""
        split = self.split
        return {
            "strategy": "pooling",
            "partition": {"p_channels": split.p_groups, "p_h": split.p_h, "p_w": split.p_w},
            "vertex": "pool",
            "tiles_used": self.tiles_used,
            "estimated_cycles": self.cycles,
            "estimated_terms": {name: value for name, value in self.terms.items() if value},
        }


def pool_problem(graph: Graph, op: Op) -> ConvProblem:
    """Return the windows of a pooling op."""
    x, y = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    rank = len(x.shape) - 2
    window = pooling_window(op.attrs, rank)

    def pair(extents: tuple[int, ...], missing: int) -> tuple[int, int]:
        return (extents[0], extents[1]) if rank == 2 else (missing, extents[0])

    return ConvProblem(
        rank,
        1,
        x.shape[0] * x.shape[1],
        1,
        1,
        pair(x.shape[2:], 1),
        pair(y.shape[2:], 1),
        pair(window.kernel, 1),
        pair(window.stride, 1),
        (1, 1),
        pair(window.before, 0),
        x.dtype,
        x.dtype,
        y.dtype,
    )


def plan_pool(graph: Graph, op: Op, chip: Chip) -> PoolPlan:
    """Return the cut of a pooling op with the least estimated cycles; of equals that with the fewest tiles.

    Columns are cut only as far as the tiles that channels and rows leave allow.
    """
    problem = pool_problem(graph, op)
    largest = op.kind.startswith("max")
    groups, (height, width) = problem.groups, problem.field_out
    best: tuple[int, int, ConvSplit, dict[str, int]] | None = None
    wide = distinct_splits(width, chip.n_tiles).tolist()
    for p_groups in distinct_splits(groups, chip.n_tiles).tolist():
        for p_h in distinct_splits(height, chip.n_tiles // p_groups).tolist():
            room = chip.n_tiles // (p_groups * p_h)
            for p_w in {1, max(parts for parts in wide if parts <= room)}:
                split = ConvSplit(1, p_groups, p_h, p_w, 1, 1, 1)
                terms = pool_terms(problem, largest, split, chip)
                found = (sum(terms.values()), prod(split), split, terms)
                best = found if best is None or found[:3] < best[:3] else best
    assert best is not None
    return PoolPlan(problem, largest, bool(op.attrs.get("include_padding", False)), best[2], best[3])


def pool_terms(problem: ConvProblem, largest: bool, split: ConvSplit, chip: Chip) -> dict[str, int]:
    """Return the estimated cycles of a cut: its share of the input in this layout, the halo around it, the windows."""
    element_bytes = number_format(problem.inputs_format).bytes
    groups = ceil_div(problem.groups, split.p_groups)
    h, w = ceil_div(problem.field_out[0], split.p_h), ceil_div(problem.field_out[1], split.p_w)
    held = 1
    own = groups
    for axis, (outputs, parts) in enumerate(((h, split.p_h), (w, split.p_w))):
        extent = problem.field_in[axis]
        held *= span(outputs, problem.kernel[axis], problem.stride[axis], 1, extent)
        own *= ceil_div(extent, parts)
    halo = max(0, groups * held - own) * element_bytes
    return {
        "rearrange": rearrange_cycles(machine_of(chip), own * element_bytes, problem.field_in[1], element_bytes),
        "inputs": receive_cycles(halo, rate_sixteenths(chip.exchange_bytes_per_cycle)),
        "pool": vertex_cycles(groups * h * w, *problem.kernel, element_bytes == 4, not largest, chip.worker_contexts),
    }
