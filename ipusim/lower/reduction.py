"""Lowering of the reduction of partial sums over tiles, in one to three stages.

All tiles that hold partial sums of one output block take part in every stage. A stage forms groups of neighbouring
partial matrices; each tile of a group adds up an equal run of the block's elements, taking from each matrix of the
group the run that others hold. What a tile already holds itself is not moved (dense reference, section 2.10).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.cost.reduction import reduction_stages
from ipusim.ir.program import Operand, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume
from ipusim.ir.sharing import Sharing

Step = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Shares:
    """Which tile of a block holds which run of which partial matrix; the same for every block.

    Attributes
    ----------
    matrix : int64 array [depth]
        Partial matrix that each tile of a block holds a run of.
    position, parts : int64 array [depth]
        The run is number `position` of `parts` equal ones.
    n_matrices : int
    """

    matrix: IntArray
    position: IntArray
    parts: IntArray
    n_matrices: int

    def run(self, elements: IntArray) -> tuple[IntArray, IntArray]:
        """Return begin and end of each tile's run, int64 arrays [blocks, depth], for blocks of so many elements."""
        size = -(-elements[:, None] // self.parts)
        begin = np.minimum(size * self.position, elements[:, None])
        return begin, np.minimum(begin + size, elements[:, None])


@dataclass(frozen=True, slots=True)
class Blocks:
    """Output blocks whose partial sums lie on `depth` tiles each.

    Attributes
    ----------
    tile : int32 array [blocks, depth]
    box : int64 array [blocks, 6]
        The block in the output; matrix ``u`` of a partials variable is its copy `u * groups` groups further down.
    groups : int
        Groups of the output, the distance between partial matrices.
    step, count
        Of the regions, when a loop over serial slices moves the block.
    """

    tile: TileArray
    box: IntArray
    groups: int
    step: Step
    count: int

    @property
    def depth(self) -> int:
        """Number of tiles, and of partial matrices, of a block."""
        return int(self.tile.shape[1])

    @property
    def elements(self) -> IntArray:
        """Elements of each block: int64 array [blocks]."""
        return volume(self.box)

    def regions(self, block: IntArray, matrix: IntArray, begin: IntArray, end: IntArray) -> Regions:
        """Return runs of the partial matrices of blocks."""
        box = self.box[block]
        box[:, 0:2] += (matrix * self.groups)[:, None]
        return Regions(box, begin, end, self.step, self.count)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what is exchanged before it, its vertices, and who holds what after it."""

    exchange: Transfers
    vertices: VertexSet
    shares: Shares


def unreduced(depth: int) -> Shares:
    """Return the shares before any reduction: each tile holds a whole partial matrix of its block."""
    index = np.arange(depth, dtype=np.int64)
    return Shares(index, np.zeros(depth, dtype=np.int64), np.ones(depth, dtype=np.int64), depth)


def matrices_after_stages(depth: int) -> tuple[int, ...]:
    """Return the number of partial matrices that are left after each planned stage; the last is 1."""
    counts = []
    left = depth
    for stage_depth in reduction_stages(1, depth, True)[1::2]:
        if stage_depth:
            left = ceil_div(left, stage_depth)
            counts.append(left)
    return tuple(counts)


def next_shares(shares: Shares, n_matrices: int) -> Shares:
    """Return who holds what after the matrices were added up to `n_matrices`.

    Groups of matrices differ by one at most. The runs of a group's tiles follow the order of the runs that they hold
    already, so that as little as possible is moved.
    """
    group = shares.matrix * n_matrices // shares.n_matrices
    centre = (2 * shares.position + 1) / (2 * shares.parts)
    order = np.lexsort((shares.matrix, centre, group))
    size = np.bincount(group, minlength=n_matrices)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    position = np.empty(len(group), dtype=np.int64)
    position[order] = np.arange(len(group)) - start[group[order]]
    return Shares(group, position, size[group], n_matrices)


def build_stage(
    blocks: Blocks,
    shares: Shares,
    n_matrices: int,
    source: Variable,
    target: Variable,
    settings: dict[str, object],
    sharing: Sharing,
) -> Stage:
    """Return one stage of the reduction of all blocks; equal ones are built once.

    Parameters
    ----------
    blocks : Blocks
    shares : Shares
        Who holds what before the stage.
    n_matrices : int
        Partial matrices after it.
    source, target : Variable
        What is added up, and what the sums are written to.
    settings : dict
        Of the vertices (formats).
    sharing : Sharing
        Of the program.
    """
    arrays = (blocks.tile, blocks.box, shares.matrix, shares.position, shares.parts)
    numbers = (blocks.groups, blocks.step, blocks.count, shares.n_matrices, n_matrices)
    key = ("reduction stage", *(id(sharing.array(array)) for array in arrays), *numbers)
    stage = sharing.once(key, lambda: _new_stage(blocks, shares, n_matrices, sharing))
    inputs, outputs = stage.vertices.operands
    operands = (replace(inputs, variable=source.name), replace(outputs, variable=target.name))
    vertices = replace(stage.vertices, operands=operands, settings=settings)
    return Stage(replace(stage.exchange, variable=source.name), vertices, stage.shares)


def _new_stage(blocks: Blocks, shares: Shares, n_matrices: int, sharing: Sharing) -> Stage:
    """Return a stage whose variables have no name yet."""
    after = next_shares(shares, n_matrices)
    begin, end = after.run(blocks.elements)
    block, member = np.nonzero(end > begin)
    owner = np.argsort(shares.matrix * (blocks.depth + 1) + shares.position, kind="stable")
    first_owner = np.searchsorted(shares.matrix[owner], np.arange(shares.n_matrices))
    group_of_matrix = np.arange(shares.n_matrices) * n_matrices // shares.n_matrices
    depth = np.bincount(group_of_matrix, minlength=n_matrices)
    first_matrix = np.concatenate([[0], np.cumsum(depth)[:-1]])

    vertex_depth = depth[after.matrix[member]]
    segments = np.concatenate([[0], np.cumsum(vertex_depth)])
    vertex = np.repeat(np.arange(len(block)), vertex_depth)
    matrix = first_matrix[after.matrix[member]][vertex] + np.arange(segments[-1]) - segments[vertex]
    run_begin, run_end = begin[block, member], end[block, member]
    inputs = blocks.regions(block[vertex], matrix, run_begin[vertex], run_end[vertex])
    outputs = blocks.regions(block, after.matrix[member], run_begin, run_end)
    tile = np.ascontiguousarray(blocks.tile[block, member])
    vertices = VertexSet(
        codelet="reduce_add",
        label="reduce",
        tile=tile,
        fields={"outputs": run_end - run_begin, "depth": vertex_depth},
        operands=(Operand("", "in", inputs, segments), Operand("", "out", outputs)),
    )
    owners = owner[first_owner[matrix]]
    parts = shares.parts[owners]
    size = -(-blocks.elements[block[vertex]] // parts)
    first_part = run_begin[vertex] // size
    last_part = (run_end[vertex] - 1) // size
    pieces: list[tuple[IntArray, ...]] = []
    for extra in range(int((last_part - first_part).max(initial=0)) + 1):
        part = first_part + extra
        chosen = np.flatnonzero(part <= last_part)
        holder = owner[first_owner[matrix[chosen]] + part[chosen]]
        sender = blocks.tile[block[vertex[chosen]], holder]
        away = sender != tile[vertex[chosen]]
        chosen, sender, part = chosen[away], sender[away], part[chosen][away]
        low = np.maximum(run_begin[vertex[chosen]], part * size[chosen])
        high = np.minimum(run_end[vertex[chosen]], (part + 1) * size[chosen])
        pieces.append((chosen, sender.astype(np.int64), low, high))
    chosen, sender, low, high = (np.concatenate(column) for column in zip(*pieces, strict=True))
    regions = blocks.regions(block[vertex[chosen]], matrix[chosen], low, high)
    exchange = Transfers(
        variable="",
        label="partials",
        source=sender.astype(np.int32),
        regions=regions,
        group=np.arange(len(chosen), dtype=np.int32),
        group_indptr=np.arange(len(chosen) + 1, dtype=np.int64),
        group_tiles=tile[vertex[chosen]],
    )
    return Stage(sharing.transfers(exchange), sharing.vertices(vertices), after)
