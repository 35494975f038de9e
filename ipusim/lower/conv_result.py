"""The result of a convolution: its blocks, the partial sums on the way, and where it ends up."""

from __future__ import annotations

import numpy as np

from ipusim.ir.program import Home, Operand, Superstep, Variable, VertexSet
from ipusim.ir.regions import NO_STEP, IntArray, Regions, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.conv_grid import ConvGrid
from ipusim.lower.reduction import Blocks, Shares, build_stage, matrices_after_stages, next_shares, unreduced
from ipusim.plan.conv import ConvPlan


class ConvResult:
    """The result of a convolution while it is being lowered.

    Partial sums are needed where kernel rows or input channels are split, or where the result has another format than
    the sums. Otherwise the vertices write the result itself.

    Attributes
    ----------
    sums : Variable
        What the vertices write.
    """

    def __init__(self, builder: Builder, op: Op, plan: ConvPlan, grid: ConvGrid) -> None:
        self.builder, self.op, self.plan = builder, op, plan
        self.name = op.outputs[0]
        self.shape = grid.y.shape
        channels = grid.channels(grid.outer, plan.problem.out_channels)
        self.block = grid.y.boxes(grid.images, channels, grid.rows, grid.cols)
        b, g, h, w, k, i, j = grid.shape
        self.depth = k * i
        self._matrix = grid.coordinates[4] * i + grid.coordinates[5]
        by_part = np.arange(len(grid)).reshape(b * g * h * w, self.depth, j).transpose(0, 2, 1)
        tiles = by_part.reshape(-1, self.depth)
        self.blocks = Blocks(grid.tile[tiles], self.block[tiles[:, 0]], self.shape[0], NO_STEP, 1)
        self.casts = self.depth == 1 and plan.problem.partials_format != plan.problem.output_format
        self.sums = (
            self._partials("partials", self.depth, plan.problem.partials_format)
            if self.depth > 1 or self.casts
            else self._result(Home(grid.tile, whole_boxes(self.block)))
        )

    def regions(self) -> Regions:
        """Return the block of sums that each tile of the grid forms."""
        block: IntArray = self.block.copy()
        block[:, 0:2] += (self._matrix * self.shape[0])[:, None]
        return whole_boxes(block)

    def _partials(self, suffix: str, matrices: int, dtype: str) -> Variable:
        shape = (self.shape[0] * matrices, self.shape[1], self.shape[2])
        return self.builder.add_variable(f"{self.name}.{suffix}", shape, dtype, "partials", None)

    def _result(self, home: Home) -> Variable:
        return self.builder.place_tensor(self.name, self.shape, home)

    def _home(self, shares: Shares) -> Home:
        begin, end = shares.run(self.blocks.elements)
        block, member = np.nonzero(end > begin)
        regions = self.blocks.regions(
            block, np.zeros(len(block), dtype=np.int64), begin[block, member], end[block, member]
        )
        return Home(np.ascontiguousarray(self.blocks.tile[block, member]), regions)

    def supersteps(self, multiply: VertexSet) -> list[Superstep]:
        """Return the supersteps from the multiplication on."""
        op, problem = self.op, self.plan.problem
        steps: list[Superstep] = []
        compute, name = multiply, "multiply"
        shares, source = unreduced(self.depth), self.sums
        for number, n_matrices in enumerate(matrices_after_stages(self.depth) if self.depth > 1 else (), start=1):
            last = n_matrices == 1
            if last:
                target = self._result(self._home(next_shares(shares, 1)))
            else:
                target = self._partials(f"sums{number}", n_matrices, problem.partials_format)
            settings: dict[str, object] = {"partials": problem.partials_format, "output": target.dtype}
            stage = build_stage(self.blocks, shares, n_matrices, source, target, settings, self.builder.sharing)
            steps.append(Superstep(f"{op.name}/{name}", op.name, (compute,), (stage.exchange,)))
            compute, name, shares, source = stage.vertices, f"reduce {number}", stage.shares, target
        steps.append(Superstep(f"{op.name}/{name}", op.name, (compute,)))
        if self.casts:
            steps.append(Superstep(f"{op.name}/cast", op.name, (self._cast(source),)))
        return steps

    def _cast(self, source: Variable) -> VertexSet:
        home = self._home(unreduced(1))
        result = self._result(home)
        regions = home.regions
        return VertexSet(
            codelet="cast_1d",
            label="cast",
            tile=home.tile,
            fields={"elements": regions.end - regions.begin},
            operands=(Operand(source.name, "in", regions), Operand(result.name, "out", regions)),
            settings={"input": source.dtype, "output": result.dtype, "dtype": result.dtype},
        )
