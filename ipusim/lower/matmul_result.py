"""The result of a dense matmul: its blocks, the partial sums on the way, and where it ends up."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import Home, Operand, Superstep, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.ir.sharing import Made
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.grid import Grid, boxes, dense_index
from ipusim.lower.reduction import Blocks, Shares, build_stage, matrices_after_stages, next_shares, unreduced
from ipusim.lower.slices import slice_vertices
from ipusim.plan.dense import DensePlan

Step = tuple[int, int, int]


class ProductResult:
    """The result of a matmul while it is being lowered.

    Partial sums are needed where the inner channels are split, or where the result has another format than the sums.
    Otherwise the product vertices write the result itself.
    """

    def __init__(self, builder: Builder, op: Op, plan: DensePlan, grid: Grid) -> None:
        problem, split = plan.problem, plan.split
        self.builder, self.op, self.plan, self.grid = builder, op, plan, grid
        self.name = op.outputs[0]
        self.shape = (problem.groups, problem.m, problem.n)
        swapped = bool(plan.variant.swapped)
        outer_step = grid.outer_step if split.s_outer > 1 else 0
        self.step: Step = (0, outer_step, 0) if swapped else (0, 0, outer_step)
        self.block, self.blocks, self.whole, self.unreduced = self._once("blocks", self._cut)
        self.depth = self.blocks.depth
        formats_differ = problem.partials_format != problem.output_format
        self.accumulates = split.s_inner > 1
        self.casts = formats_differ and (self.accumulates or self.depth == 1)
        needs_partials = self.depth > 1 or self.accumulates or self.casts
        self.partials = (
            self._temporary("partials", problem.groups * self.depth, problem.partials_format)
            if needs_partials
            else self._result(self._once("home", lambda: builder.sharing.home(Home(grid.tile, self.whole))))
        )

    def _once(self, what: str, make: Callable[[], Made], *further: Hashable) -> Made:
        """Return what `make` makes of the grid alone; of the same grid, what it made the first time."""
        return self.builder.sharing.once(("result", what, id(self.grid), *further), make)

    def _cut(self) -> tuple[IntArray, Blocks, Regions, Shares]:
        """Return the block of each tile, all blocks with the tiles that add them up, and who holds what at first."""
        grid, sharing = self.grid, self.builder.sharing
        block = sharing.array(boxes(grid.groups, grid.rows, grid.outer, flip=bool(self.plan.variant.swapped)))
        depth = int(grid.k.max()) + 1
        order = np.lexsort((grid.k, dense_index(grid.g, grid.i, grid.j)))
        tile = sharing.array(grid.tile[order].reshape(-1, depth))
        slices = self.plan.split.s_outer
        blocks = Blocks(tile, sharing.array(block[order[::depth]]), self.plan.problem.groups, self.step, slices)
        return block, blocks, sharing.regions(self._whole(block)), unreduced(depth)

    def _temporary(self, suffix: str, groups: int, dtype: str, home: Home | None = None) -> Variable:
        shape = (groups, self.shape[1], self.shape[2])
        return self.builder.add_variable(f"{self.name}.{suffix}", shape, dtype, "partials", home)

    def _result(self, home: Home) -> Variable:
        return self.builder.place_tensor(self.name, self.shape, home)

    def _whole(self, block: IntArray) -> Regions:
        return whole_boxes(block, self.step, self.plan.split.s_outer)

    def partial_regions(self) -> Regions:
        """Return the block of partial sums that each tile of the grid forms."""
        return self.whole if self.depth == 1 else self._once("partials", self._partial_regions)

    def _partial_regions(self) -> Regions:
        block = self.block.copy()
        block[:, 0:2] += (self.grid.k * self.plan.problem.groups)[:, None]
        return self.builder.sharing.regions(self._whole(block))

    def _shares_home(self, shares: Shares) -> Home:
        """Return the home of runs of the result; `shares` are those before any reduction, or after a stage of it."""
        return self._once("shares", lambda: self.builder.sharing.home(self._runs_home(shares)), id(shares))

    def _runs_home(self, shares: Shares) -> Home:
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
        shares, source = self.unreduced, self.partials
        counts = matrices_after_stages(self.depth) if self.depth > 1 else ()
        for number, n_matrices in enumerate(counts, start=1):
            last = n_matrices == 1
            output_format = problem.output_format if last and not self.accumulates else problem.partials_format
            target = self._stage_target(shares, number, n_matrices, output_format)
            settings: dict[str, object] = {"partials": problem.partials_format, "output": output_format}
            stage = build_stage(self.blocks, shares, n_matrices, source, target, settings, self.builder.sharing)
            steps.append(Superstep(f"{op.name}/{name}", op.name, compute, (stage.exchange,)))
            compute, name, shares, source = (stage.vertices,), f"reduce {number}", stage.shares, target
        steps.append(Superstep(f"{op.name}/{name}", op.name, compute))
        steps.extend(self._after_slice(shares, source))
        return steps

    def _stage_target(self, shares: Shares, number: int, n_matrices: int, dtype: str) -> Variable:
        if n_matrices > 1:
            return self._temporary(f"sums{number}", self.shape[0] * n_matrices, dtype)
        if self.accumulates:
            return self._temporary("slice", self.shape[0], dtype)
        return self._result(self._shares_home(self._once("sum", lambda: next_shares(shares, 1), id(shares))))

    def _after_slice(self, shares: Shares, source: Variable) -> list[Superstep]:
        problem, split, op = self.plan.problem, self.plan.split, self.op
        steps: list[Superstep] = []
        if self.accumulates:
            home = self._shares_home(shares)
            total = (
                self._temporary("total", self.shape[0], problem.partials_format, home)
                if self.casts
                else self._result(home)
            )
            self._total = total
            add = self._elementwise("binary_1d", "add", home, (source, total), {"op": "add", "in_place": True})
            steps.append(Superstep(f"{op.name}/accumulate", op.name, (add,)))
        elif self.casts:
            home = self._shares_home(shares)
            steps.append(Superstep(f"{op.name}/cast", op.name, (self._cast(home, source, self._result(home)),)))
        if split.s_outer > 1:
            owned = ceil_div(int(self.blocks.elements.max()), self.depth)
            update = slice_vertices(self.grid, ceil_div(owned, split.s_outer), "update", problem.output_format)
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
