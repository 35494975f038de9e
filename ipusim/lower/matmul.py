"""Lowering of a dense matmul plan: operands to the tiles, AMP vertices, reduction of the partial sums, result.

The supersteps of one serial slice: exchange the operands; multiply, then exchange the partial sums; add them up, in one
to three stages. A loop over serial slices repeats them, with slices of the operands and updates of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import Home, Operand, Repeat, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.grid import Grid, boxes, build_grid, dense_index, even_share, rank_in_group
from ipusim.lower.operands import bring
from ipusim.lower.reduction import Blocks, Shares, build_stage, matrices_after_stages, unreduced
from ipusim.plan.dense import DensePlan
from ipusim.plan.dense_estimate import AMP_NX1, HMAC, OUTER_PRODUCT, VERTICES

Step = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of the product as the grid sees it.

    Attributes
    ----------
    tensor : str
    label : str
        ``inputs`` for what streams through the AMP, ``weights`` for what it holds.
    shape : tuple of three int
        Of the variable.
    block : int64 array [n, 6]
        Each tile's block in the first serial slice.
    group : int64 array [n]
        Tiles with the same number hold the same block and share it out among them.
    step : tuple of three int
        Distance to the block of the next serial slice; zeros if the operand is not sliced.
    count : int
        Number of slices.
    """

    tensor: str
    label: str
    shape: tuple[int, int, int]
    block: IntArray
    group: IntArray
    step: Step
    count: int


def lower_matmul(builder: Builder, op: Op, plan: DensePlan) -> None:
    """Append the supersteps of a dense matmul to the program."""
    grid = build_grid(plan)
    split = plan.split
    sides = _sides(builder, op, plan, grid)
    variables = [bring(builder, op.name, side.tensor, side.shape, _home(grid, side)) for side in sides]
    moves = [_multicast(grid, side, variable) for side, variable in zip(sides, variables, strict=True)]
    if split.broadcast:
        builder.steps.append(Superstep(f"{op.name}/broadcast", op.name, exchange=(moves.pop(_streaming(sides)),)))
    inside = tuple(move for move in moves if len(move.source))

    target = _Target(builder, op, plan, grid)
    body = [Superstep(f"{op.name}/operands", op.name, _slices(plan, grid), inside)]
    multiply = _amp(plan, grid, op, sides, variables, target.partials, target.partial_regions())
    body.extend(target.reduce(multiply))
    body = [step for step in body if step.compute or step.exchange]
    slices = split.s_inner * split.s_outer
    if slices > 1:
        builder.steps.append(Repeat(slices, tuple(body)))
    else:
        builder.steps.extend(body)
    target.finish()


def _streaming(sides: tuple[Side, Side]) -> int:
    return 0 if sides[0].label == "inputs" else 1


def _sides(builder: Builder, op: Op, plan: DensePlan, grid: Grid) -> tuple[Side, Side]:
    """Return left and right operand of ``Y[m, n] = A[m, k] B[k, n]`` with their blocks."""
    left_rows, right_cols = (grid.outer, grid.rows) if plan.variant.swapped else (grid.rows, grid.outer)
    left = _side(builder, op, plan, grid, 0, left_rows)
    right = _side(builder, op, plan, grid, 1, right_cols)
    return left, right


def _side(builder: Builder, op: Op, plan: DensePlan, grid: Grid, which: int, free: IntArray) -> Side:
    problem, split = plan.problem, plan.split
    streams = (which == 1) == bool(plan.variant.swapped)
    transposed = bool(op.attrs.get("transpose_b" if which else "transpose_a", False))
    flip = transposed != (which == 0)
    tensor = builder.graph.tensors[op.inputs[which]]
    free_extent = problem.n if which else problem.m
    broadcast = problem.groups > 1 and tensor.n_elements < problem.groups * problem.k * free_extent
    groups = np.tile(np.array([0, 1], dtype=np.int64), (len(grid), 1)) if broadcast else grid.groups
    block = boxes(groups, grid.inner, free, flip)
    shape = (1 if broadcast else problem.groups, problem.k, free_extent)
    if flip:
        shape = (shape[0], shape[2], shape[1])
    inner_step = grid.inner_step if split.s_inner > 1 else 0
    outer_step = grid.outer_step if split.s_outer > 1 and not streams else 0
    step: Step = (0, outer_step, inner_step) if flip else (0, inner_step, outer_step)
    part = grid.i if streams else grid.j
    shared = np.zeros_like(grid.g) if broadcast else grid.g
    return Side(
        tensor=tensor.name,
        label="inputs" if streams else "weights",
        shape=shape,
        block=block,
        group=dense_index(shared, part, grid.k),
        step=step,
        count=split.s_inner * (1 if streams else split.s_outer),
    )


def _home(grid: Grid, side: Side) -> Home:
    """Return where an operand lives: each block is shared out evenly among the tiles that need it."""
    rank, size = rank_in_group(side.group)
    begin, end = even_share(volume(side.block), rank, size)
    return Home(grid.tile, Regions(side.block, begin, end, side.step, side.count))


def _multicast(grid: Grid, side: Side, variable: Variable) -> Transfers:
    """Return the exchange in which every tile of a group sends its share of the block to all the others."""
    assert variable.home is not None
    home = variable.home
    order = np.argsort(side.group, kind="stable")
    size = np.bincount(side.group)
    indptr = np.concatenate([[0], np.cumsum(size)])
    sends = np.flatnonzero((home.regions.end > home.regions.begin) & (size[side.group] > 1))
    return Transfers(
        variable=variable.name,
        label=side.label,
        source=home.tile[sends],
        regions=home.regions.take(sends),
        group=side.group[sends].astype(np.int32),
        group_indptr=indptr,
        group_tiles=grid.tile[order],
    )


def _slices(plan: DensePlan, grid: Grid) -> tuple[VertexSet, ...]:
    """Return the vertices that cut a serial slice out of the operands a tile keeps.

    The planner charges the weights in every loop, and the inputs too when the inner channels are sliced (dense
    reference, section 2.12).
    """
    split, product = plan.split, plan.product
    slices = split.s_inner * split.s_outer
    if slices == 1:
        return ()
    lengths = [product.groups * product.inner * product.outer]
    if split.s_inner > 1:
        lengths.append(product.groups * product.rows * product.inner)
    return tuple(
        _slice_vertices(grid, ceil_div(ceil_div(length, plan.tiles_used), slices), "slice", plan.problem.inputs_format)
        for length in lengths
    )


def _slice_vertices(grid: Grid, elements: int, label: str, dtype: str) -> VertexSet:
    ones = np.ones(len(grid), dtype=np.int64)
    return VertexSet(
        codelet="dynamic_slice_1d",
        label=label,
        tile=grid.tile,
        fields={"region_elements": ones * elements, "n_slices": ones},
        operands=(),
        settings={"dtype": dtype},
    )


def _amp(
    plan: DensePlan,
    grid: Grid,
    op: Op,
    sides: tuple[Side, Side],
    variables: list[Variable],
    partials: Variable,
    regions: Regions,
) -> VertexSet:
    """Return the AMP vertices: one on each tile, left and right block in, partial sums out."""
    variant, problem = plan.variant, plan.problem
    operands = tuple(
        Operand(variable.name, "in", whole_boxes(side.block, side.step, side.count))
        for side, variable in zip(sides, variables, strict=True)
    )
    fields, settings = _vertex(plan, grid)
    return VertexSet(
        codelet=VERTICES[variant.vertex],
        label="amp",
        tile=grid.tile,
        fields=fields,
        operands=(*operands, Operand(partials.name, "out", regions)),
        settings={
            "inputs": problem.inputs_format,
            "partials": problem.partials_format,
            "in_channels": variant.inner_channels,
            "transpose_left": bool(op.attrs.get("transpose_a", False)),
            "transpose_right": bool(op.attrs.get("transpose_b", False)),
            **settings,
        },
    )


def _vertex(plan: DensePlan, grid: Grid) -> tuple[dict[str, IntArray], dict[str, object]]:
    """Return the fields and settings that the cycle formula of the plan's codelet needs."""
    variant, problem = plan.variant, plan.problem
    rows = grid.rows[:, 1] - grid.rows[:, 0]
    groups = grid.groups[:, 1] - grid.groups[:, 0]
    out_groups = (grid.outer[:, 1] - grid.outer[:, 0]) // variant.outer_channels
    if variant.vertex == OUTER_PRODUCT:
        fields = {"width": rows, "channel_groups": out_groups * groups}
        return fields, {"dtype": problem.inputs_format, "channels": variant.outer_channels}
    fields = {
        "rows": rows,
        "conv_groups": groups,
        "in_groups": (grid.inner[:, 1] - grid.inner[:, 0]) // variant.inner_channels,
        "out_groups": out_groups,
    }
    if variant.vertex == HMAC:
        return fields, {"kernel_size": 1, "out_channels": variant.outer_channels}
    passes = ceil_div(variant.outer_channels, variant.units)
    settings: dict[str, object] = {"units": variant.units, "passes": passes}
    if variant.vertex == AMP_NX1:
        height = plan.unit_channels // variant.inner_channels
        settings |= {
            "filter_height": height,
            "kernel_inner": 1,
            "kernel_outer": 1,
            "out_channels": variant.outer_channels,
        }
    return fields, settings


class _Target:
    """The result of the product: its blocks, the partial sums on the way, and where it ends up."""

    def __init__(self, builder: Builder, op: Op, plan: DensePlan, grid: Grid) -> None:
        problem, split = plan.problem, plan.split
        self.builder, self.op, self.plan, self.grid = builder, op, plan, grid
        self.name = op.outputs[0]
        self.shape = (problem.groups, problem.m, problem.n)
        swapped = bool(plan.variant.swapped)
        outer_step = grid.outer_step if split.s_outer > 1 else 0
        self.step: Step = (0, outer_step, 0) if swapped else (0, 0, outer_step)
        self.block = boxes(grid.groups, grid.rows, grid.outer, flip=swapped)
        self.depth = int(grid.k.max()) + 1
        order = np.lexsort((grid.k, dense_index(grid.g, grid.i, grid.j)))
        first = order[:: self.depth]
        self.blocks = Blocks(
            grid.tile[order].reshape(-1, self.depth), self.block[first], problem.groups, self.step, split.s_outer
        )
        formats_differ = problem.partials_format != problem.output_format
        self.accumulates = split.s_inner > 1
        self.casts = formats_differ and (self.accumulates or self.depth == 1)
        needs_partials = self.depth > 1 or self.accumulates or self.casts
        self.partials = (
            self._temporary("partials", problem.groups * self.depth, problem.partials_format)
            if needs_partials
            else self._result(Home(grid.tile, self._whole(self.block)))
        )

    def _temporary(self, suffix: str, groups: int, dtype: str, home: Home | None = None) -> Variable:
        shape = (groups, self.shape[1], self.shape[2])
        return self.builder.add_variable(f"{self.name}.{suffix}", shape, dtype, "partials", home)

    def _result(self, home: Home) -> Variable:
        return self.builder.place_tensor(self.name, self.shape, home)

    def _whole(self, block: IntArray) -> Regions:
        return whole_boxes(block, self.step, self.plan.split.s_outer)

    def partial_regions(self) -> Regions:
        """Return the block of partial sums that each tile of the grid forms."""
        block = self.block.copy()
        block[:, 0:2] += (self.grid.k * self.plan.problem.groups)[:, None] if self.depth > 1 else 0
        return self._whole(block)

    def _shares_home(self, shares: Shares) -> Home:
        begin, end = shares.run(self.blocks.elements)
        block, member = np.nonzero(end > begin)
        regions = self.blocks.regions(
            block, np.zeros(len(block), dtype=np.int64), begin[block, member], end[block, member]
        )
        return Home(np.ascontiguousarray(self.blocks.tile[block, member]), regions)

    def reduce(self, multiply: VertexSet) -> list[Superstep]:
        """Return the supersteps of one serial slice from the multiplication on."""
        op, problem = self.op, self.plan.problem
        steps: list[Superstep] = []
        compute: tuple[VertexSet, ...] = (multiply,)
        name = "multiply"
        shares, source = unreduced(self.depth), self.partials
        counts = matrices_after_stages(self.depth) if self.depth > 1 else ()
        for number, n_matrices in enumerate(counts, start=1):
            last = n_matrices == 1
            output_format = problem.output_format if last and not self.accumulates else problem.partials_format
            target = self._stage_target(shares, number, n_matrices, output_format)
            settings: dict[str, object] = {"partials": problem.partials_format, "output": output_format}
            stage = build_stage(self.blocks, shares, n_matrices, source, target, settings)
            steps.append(Superstep(f"{op.name}/{name}", op.name, compute, (stage.exchange,)))
            compute, name, shares, source = (stage.vertices,), f"reduce {number}", stage.shares, target
        steps.append(Superstep(f"{op.name}/{name}", op.name, compute))
        steps.extend(self._after_slice(shares, source))
        return steps

    def _stage_target(self, shares: Shares, number: int, n_matrices: int, dtype: str) -> Variable:
        from ipusim.lower.reduction import next_shares

        if n_matrices > 1:
            return self._temporary(f"sums{number}", self.shape[0] * n_matrices, dtype)
        if self.accumulates:
            return self._temporary("slice", self.shape[0], dtype)
        return self._result(self._shares_home(next_shares(shares, 1)))

    def _after_slice(self, shares: Shares, source: Variable) -> list[Superstep]:
        problem, split, op = self.plan.problem, self.plan.split, self.op
        steps: list[Superstep] = []
        home = self._shares_home(shares)
        if self.accumulates:
            sum_home = home
            total = (
                self._temporary("total", self.shape[0], problem.partials_format, sum_home)
                if self.casts
                else self._result(sum_home)
            )
            self._total = total
            add = self._elementwise("binary_1d", "add", home, (source, total), {"op": "add", "in_place": True})
            steps.append(Superstep(f"{op.name}/accumulate", op.name, (add,)))
        elif self.casts:
            steps.append(Superstep(f"{op.name}/cast", op.name, (self._cast(home, source, self._result(home)),)))
        if split.s_outer > 1:
            owned = ceil_div(int(self.blocks.elements.max()), self.depth)
            update = _slice_vertices(self.grid, ceil_div(owned, split.s_outer), "update", problem.output_format)
            steps.append(Superstep(f"{op.name}/update", op.name, (update,)))
        return steps

    def _cast(self, home: Home, source: Variable, target: Variable) -> VertexSet:
        return self._elementwise("cast_1d", "cast", home, (source, target), {})

    def _elementwise(
        self, codelet: str, label: str, home: Home, variables: tuple[Variable, Variable], settings: dict[str, object]
    ) -> VertexSet:
        source, target = variables
        regions = home.regions
        in_place = bool(settings.get("in_place"))
        return VertexSet(
            codelet=codelet,
            label=label,
            tile=home.tile,
            fields={"elements": regions.end - regions.begin},
            operands=(
                Operand(source.name, "in", regions),
                Operand(target.name, "inout" if in_place else "out", regions),
            ),
            settings={"input": source.dtype, "output": target.dtype, "dtype": target.dtype, **settings},
        )

    def finish(self) -> None:
        """Append what follows the loop: the change of format of accumulated sums."""
        if self.accumulates and self.casts:
            home = self._total.home
            assert home is not None
            cast = self._cast(home, self._total, self._result(home))
            self.builder.steps.append(Superstep(f"{self.op.name}/cast", self.op.name, (cast,)))
