"""Plans of stencils: how the grid is cut over the tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ipusim.chip.model import Chip
from ipusim.codelets import copy_rows
from ipusim.codelets.stencil import slots_of, vector_elements, vertex_cycles
from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.exchange import rate_sixteenths, receive_cycles
from ipusim.formats import number_format
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.stencil import coefficients_of
from ipusim.plan.dense_search import distinct_splits
from ipusim.plan.problem import PlanOptions
from ipusim.plan.tile_plan import TilePlan

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class StencilProblem:
    """A stencil on a grid of three dimensions; with two of them the depth is 1.

    Attributes
    ----------
    extent, radius : tuple of three int
        Of the grid, and how far the stencil reaches along each axis.
    channels : int
    coefficients : tuple of (int, int, int, float)
        Distances along the axes, and the coefficient, of every neighbour that has one other than zero.
    boundary : str
    value : float
    repeat : int
    dtype : str
    vector : int
        Channels that are computed at once.
    """

    extent: Triple
    radius: Triple
    channels: int
    coefficients: tuple[tuple[int, int, int, float], ...]
    boundary: str
    value: float
    repeat: int
    dtype: str
    vector: int

    @property
    def element_bytes(self) -> int:
        """Bytes of one channel of one element."""
        return number_format(self.dtype).bytes

    @property
    def factors(self) -> int:
        """Different coefficients."""
        return len({factor for *_, factor in self.coefficients})


@dataclass(frozen=True, slots=True)
class StencilPlan(TilePlan):
    """How one stencil is cut over the tiles.

    Attributes
    ----------
    problem : StencilProblem
    split : tuple of three int
        Parts of depth, height and width.
    """

    strategy: ClassVar[str] = "stencil"

    problem: StencilProblem
    split: Triple

    @property
    def partition(self) -> dict[str, int]:
        """The split as reports show it."""
        return dict(zip(("p_d", "p_h", "p_w"), self.split, strict=True))


def stencil_problem(graph: Graph, op: Op) -> StencilProblem:
    """Return the stencil that an op asks for."""
    x = graph.tensors[op.inputs[0]]
    block = coefficients_of(op.attrs)
    rank = block.ndim
    missing = (1,) * (3 - rank)
    extents, radius = (*missing, *x.shape[:rank]), (*(0,) * (3 - rank), *(extent // 2 for extent in block.shape))
    block = block.reshape(*missing, *block.shape)
    reached = tuple(
        (int(i) - radius[0], int(j) - radius[1], int(k) - radius[2], float(block[i, j, k]))
        for i, j, k in np.argwhere(block)
    )
    channels = x.shape[rank] if len(x.shape) > rank else 1
    return StencilProblem(
        (extents[0], extents[1], extents[2]),
        (radius[0], radius[1], radius[2]),
        channels,
        reached,
        str(op.attrs["boundary"]),
        float(str(op.attrs["value"])),
        int(str(op.attrs["repeat"])),
        x.dtype,
        vector_elements(channels, number_format(x.dtype).bytes, op.attrs["vectors"] == "auto"),
    )


def plan_stencil2d(graph: Graph, op: Op, chip: Chip, options: PlanOptions) -> StencilPlan:  # noqa: ARG001
    """Return the cut of a stencil with the least estimated cycles; of equals that with the fewest tiles."""
    problem = stencil_problem(graph, op)
    given = op.attrs["grid"]
    assert isinstance(given, tuple)
    fixed = (*(1,) * (3 - len(given)), *given) if given else None
    if fixed and prod(fixed) <= chip.n_tiles:
        split = (min(fixed[0], problem.extent[0]), min(fixed[1], problem.extent[1]), min(fixed[2], problem.extent[2]))
        return _plan(problem, split, stencil_terms(problem, split, chip))
    best: tuple[int, int, Triple, dict[str, int]] | None = None
    for split in _splits(problem.extent, chip.n_tiles):
        terms = stencil_terms(problem, split, chip)
        found = (sum(terms.values()), prod(split), split, terms)
        best = found if best is None or found[:3] < best[:3] else best
    assert best is not None
    return _plan(problem, best[2], best[3])


plan_stencil3d = plan_stencil2d


def _plan(problem: StencilProblem, split: Triple, terms: dict[str, int]) -> StencilPlan:
    """Return the plan of a cut; beside the two buffers a tile has a block with its halo."""
    block = (ceil_div(extent, parts) + 2 * reach for extent, parts, reach in _axes(problem, split))
    temporary_bytes = prod(block) * problem.channels * problem.element_bytes
    return StencilPlan("stencil", terms, temporary_bytes, problem, split)


def _axes(problem: StencilProblem, split: Triple) -> Iterator[tuple[int, int, int]]:
    """Yield extent, parts and reach along each axis."""
    return zip(problem.extent, split, problem.radius, strict=True)


def _splits(extent: Triple, n_tiles: int) -> Iterator[Triple]:
    """Yield the splits worth trying: all of depth and height, with the finest few of the width that the tiles allow."""
    wide = distinct_splits(extent[2], n_tiles).tolist()
    for p_d in distinct_splits(extent[0], n_tiles).tolist():
        for p_h in distinct_splits(extent[1], n_tiles // p_d).tolist():
            room = [parts for parts in wide if parts <= n_tiles // (p_d * p_h)]
            for p_w in room[-2:]:
                yield p_d, p_h, p_w


def stencil_terms(problem: StencilProblem, split: Triple, chip: Chip) -> dict[str, int]:
    """Return the estimated cycles of a cut: halo, the copies before and after, and the stencil, of all applications."""
    block = [ceil_div(extent, parts) for extent, parts, _ in _axes(problem, split)]
    padded = [size + 2 * reach for size, reach in zip(block, problem.radius, strict=True)]
    held = [
        min(size + 2 * reach, extent) if parts > 1 else size
        for size, (extent, parts, reach) in zip(block, _axes(problem, split), strict=True)
    ]
    element_bytes = problem.channels * problem.element_bytes
    rate = int(chip.copy_bytes_per_cycle)
    vectors = ceil_div(problem.channels, problem.vector)
    slots = slots_of(len(problem.coefficients), problem.factors, problem.vector, problem.dtype == "float32")
    halo_bytes = (prod(held) - prod(block)) * element_bytes
    once = {
        "inputs": receive_cycles(halo_bytes, rate_sixteenths(chip.exchange_bytes_per_cycle)),
        "pre-copy": copy_rows.vertex_cycles(prod(padded) * element_bytes, padded[0] * padded[1], rate),
        "stencil": vertex_cycles(block[0] * block[1], block[2], vectors, slots, chip.worker_contexts),
        "post-copy": copy_rows.vertex_cycles(prod(block) * element_bytes, block[0] * block[1], rate),
    }
    return {name: cycles * problem.repeat for name, cycles in once.items()}
