"""Lowering of a dynamic sparse matmul: distribute, zero and multiply, propagate what overflowed, add up partial sums.

The phases and their bytes are those of the executed cost (:mod:`ipusim.plan.dynamic_executed`): buckets move whole,
whatever is in them. A weight lies on the chip once for all ops that share its placement.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ipusim.ir.program import Home, Operand, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.bucket_variables import buckets_of, packed_weight
from ipusim.lower.builder import Builder
from ipusim.lower.dynamic_grid import DynamicGrid, build_dynamic_grid, shared_pieces_home
from ipusim.lower.dynamic_phases import Control, propagation
from ipusim.lower.homes import from_home, home_bytes
from ipusim.lower.operands import bring
from ipusim.lower.reduction import Blocks, Shares, build_stage, next_shares, unreduced
from ipusim.plan.dynamic_fields import (
    Fields,
    Step,
    distribution_fields,
    piece_measures,
    propagation_steps,
    vertex_codelet,
)
from ipusim.plan.dynamic_payload import BucketMetadata, HeldBuckets
from ipusim.plan.dynamic_sparse import DynamicSparsePlan


def lower_dynamic_matmul(builder: Builder, op: Op, plan: DynamicSparsePlan) -> None:
    """Append the supersteps of a dynamic sparse matmul to the program."""
    _DynamicMatmul(builder, op, plan).lower()


class _DynamicMatmul:
    """A dynamic sparse matmul while it is being lowered."""

    def __init__(self, builder: Builder, op: Op, plan: DynamicSparsePlan) -> None:
        self.builder, self.op, self.plan = builder, op, plan
        problem = plan.problem
        flat = problem.dense_transposed and problem.output_transposed
        leading = prod(builder.graph.tensors[problem.dense].shape[:-2])
        self.grid = build_dynamic_grid(plan, 1 if flat else leading)
        self.values, self.metadata = packed_weight(builder, plan)
        self.dense = bring(
            builder,
            op.name,
            problem.dense,
            self.grid.dense.shape,
            shared_pieces_home(
                self.grid.tile[self.grid.piece],
                self.grid.dense_box,
                self.grid.row_part[self.grid.piece],
                self.grid.p_rows,
            ),
        )
        self.held = BucketMetadata(plan)
        self.partials = self._partials()

    def lower(self) -> None:
        """Append all supersteps."""
        op, placement, steps = self.op, self.plan.placement, self.builder.steps
        if self.plan.transposed and self.plan.plan.problem.block_size > 1:
            steps.append(Superstep(f"{op.name}/transpose", op.name, (self._transpose(),)))
        steps.append(Superstep(f"{op.name}/zero", op.name, (self._zero(),), self._distribution()))
        measures = piece_measures(placement, self.plan.transposed)
        region = np.arange(self.plan.tiles_used) // self.grid.p_n
        fields = {name: values[region] for name, values in distribution_fields(placement, measures).items()}
        steps.append(Superstep(f"{op.name}/multiply", op.name, (self._multiply(fields, self.values, None),)))
        control = Control(self.builder, op.name, self.grid.tile)
        steps.extend(control.of_call())
        travelling: dict[int, Variable] = {}

        def travel(step: Step | None) -> tuple[Transfers, ...]:
            alias = self._alias(f"{self.values.name}.travelling", self.values.storage)
            travelling[id(step)] = alias
            return self._bucket_travel(alias, None if step is None else step.distance)

        def multiply(step: Step) -> VertexSet:
            vertices = self._multiply(step.fields, travelling[id(step)], step.distance)
            return replace(vertices, payload=None) if step.distance is None else vertices

        steps.extend(propagation(op.name, propagation_steps(placement, measures), control, travel, multiply))
        self._finish()

    def _partials(self) -> Variable:
        """Declare the partial sums; the products form the result itself where there is nothing to add or to cast."""
        grid, problem = self.grid, self.plan.problem
        output = self.builder.graph.tensors[problem.output]
        dtype = self.plan.partials_format
        if grid.p_inner == 1 and dtype == output.dtype:
            home = Home(grid.tile[grid.piece], whole_boxes(grid.result_box))
            return self.builder.place_tensor(problem.output, grid.result.shape, home)
        groups, rows, cols = grid.result.shape
        shape = (groups * grid.p_inner, rows, cols)
        return self.builder.add_variable(f"{problem.output}.partials", shape, dtype, "partials", None)

    def _partial_regions(self) -> Regions:
        """Return the partial sums of every piece."""
        box = self.grid.result_box.copy()
        box[:, 0:2] += (self.grid.inner_part[self.grid.piece] * self.grid.result.shape[0])[:, None]
        return whole_boxes(box)

    def _segments(self) -> IntArray | None:
        return None if self.grid.whole else self.grid.segments

    def _alias(self, name: str, storage: str = "") -> Variable:
        """Return a variable of the form of the buckets' values; with their storage it is copies of them on the way."""
        values = self.values
        return self.builder.add_variable(name, values.shape, values.dtype, "temporary", None, storage)

    def _transpose(self) -> VertexSet:
        """Return the vertices that transpose the blocks of every bucket; from there on these are what is multiplied.

        Values keep their order in execution: the products read a block by columns.
        """
        own = self.values.home
        assert own is not None
        source, self.values = self.values, self._alias(f"{self.values.name}.transposed")
        blocks = np.full(len(self.grid.tile), self.plan.plan.bucket_groups, dtype=np.int64)
        return VertexSet(
            codelet="sparse_bucket_transpose",
            label="transpose",
            tile=self.grid.tile,
            fields={"blocks": blocks},
            operands=(Operand(source.name, "in", own.regions), Operand(self.values.name, "out", own.regions)),
            settings={"block_size": self.plan.plan.problem.block_size, "inputs": self.plan.problem.dtype},
        )

    def _zero(self) -> VertexSet:
        grid = self.grid
        elements = np.bincount(grid.piece, volume(grid.result_box), len(grid.tile)).astype(np.int64)
        return VertexSet(
            codelet="sparse_zero",
            label="zero",
            tile=grid.tile,
            fields={"partials": elements},
            operands=(Operand(self.partials.name, "out", self._partial_regions(), self._segments()),),
            settings={"partials": self.partials.dtype},
        )

    def _distribution(self) -> tuple[Transfers, ...]:
        """Return the exchange of the dense operand, where tiles share it, and of the buckets of each region."""
        grid, n_tiles = self.grid, self.builder.chip.n_tiles
        found: list[Transfers] = []
        if grid.p_rows > 1:
            tile = grid.tile[grid.piece]
            n_bytes = volume(grid.dense_box) * self.dense.element_bytes
            received = np.bincount(tile, n_bytes, n_tiles).astype(np.int64)
            sent = home_bytes(self.dense, n_tiles)
            found.append(from_home("dense", self.dense, tile, whole_boxes(grid.dense_box), sent, received))
        if grid.p_n > 1:
            region = np.arange(len(grid.tile), dtype=np.int64) // grid.p_n
            others = np.zeros(n_tiles, dtype=np.int64)
            others[grid.tile] = grid.p_n - 1
            for variable in (self.values, self.metadata):
                bucket_bytes = variable.shape[2] * variable.element_bytes
                sent = np.where(others > 0, bucket_bytes, 0)
                regions = buckets_of(variable, region)
                found.append(from_home("buckets", variable, grid.tile, regions, sent, others * bucket_bytes))
            found[-1] = replace(found[-1], gaps=others)
        return tuple(found)

    def _bucket_travel(self, alias: Variable, distance: tuple[int, int] | None) -> tuple[Transfers, ...]:
        """Return the exchange of a propagation step: every tile receives a bucket of the region at the distance."""
        grid, chosen = self.grid, self.plan.plan
        x, y = np.divmod(np.arange(len(grid.tile), dtype=np.int64) // grid.p_n, chosen.p_k)
        dx, dy = distance or (0, 0)
        region = (x - dx) % chosen.p_m * chosen.p_k + (y - dy) % chosen.p_k
        found = []
        for variable in (alias, self.metadata):
            moved = np.zeros(self.builder.chip.n_tiles, dtype=np.int64)
            moved[grid.tile] = variable.shape[2] * variable.element_bytes
            found.append(from_home("propagate", variable, grid.tile, buckets_of(variable, region), moved, moved))
        return tuple(found)

    def _multiply(self, fields: Fields, values: Variable, distance: tuple[int, int] | None) -> VertexSet:
        grid, chosen = self.grid, self.plan.plan
        x, y = np.divmod(np.arange(len(grid.tile), dtype=np.int64) // grid.p_n, chosen.p_k)
        dx, dy = distance or (0, 0)
        region = (x - dx) % chosen.p_m * chosen.p_k + (y - dy) % chosen.p_k
        return VertexSet(
            codelet=vertex_codelet(chosen, self.plan.transposed),
            label="multiply",
            tile=grid.tile,
            fields=fields,
            operands=(
                Operand(values.name, "in", buckets_of(values, region)),
                Operand(self.dense.name, "in", whole_boxes(grid.dense_box), self._segments()),
                Operand(self.partials.name, "inout", self._partial_regions(), self._segments()),
            ),
            settings={
                "block_size": chosen.problem.block_size,
                "inputs": self.plan.problem.dtype,
                "partials": self.partials.dtype,
                "transposed": self.plan.transposed,
                "dense_flipped": grid.dense.flipped,
                "result_flipped": grid.result.flipped,
            },
            payload=HeldBuckets(self.held, distance),
        )

    def _finish(self) -> None:
        """Append the reduction of the partial sums, or the cast of sums that are complete."""
        grid, op = self.grid, self.op
        output = self.builder.graph.tensors[self.plan.problem.output]
        if self.partials.storage == output.name:
            return
        if grid.p_inner == 1:
            home = Home(grid.tile[grid.piece], whole_boxes(grid.result_box))
            self.builder.steps.append(Superstep(f"{op.name}/cast", op.name, (self._cast(home),)))
            return
        chosen = np.flatnonzero(grid.inner_part[grid.piece] == 0)
        # pieces in the order of rows and columns, whichever coordinate of the tile is which
        order = np.lexsort((grid.piece, grid.inner_part[grid.piece], _block_number(grid)))
        tile = grid.tile[grid.piece][order].reshape(len(chosen), grid.p_inner)
        first = order[:: grid.p_inner]
        blocks = Blocks(tile, grid.result_box[first], grid.result.shape[0], (0, 0, 0), 1)
        shares = unreduced(grid.p_inner)
        home = _shares_home(blocks, next_shares(shares, 1))
        result = self.builder.place_tensor(output.name, grid.result.shape, home)
        settings: dict[str, object] = {"partials": self.partials.dtype, "output": result.dtype}
        stage = build_stage(blocks, shares, 1, self.partials, result, settings, self.builder.sharing)
        self.builder.steps.append(Superstep(f"{op.name}/partials", op.name, exchange=(stage.exchange,)))
        self.builder.steps.append(Superstep(f"{op.name}/reduce", op.name, (stage.vertices,)))

    def _cast(self, home: Home) -> VertexSet:
        result = self.builder.place_tensor(self.plan.problem.output, self.grid.result.shape, home)
        return VertexSet(
            codelet="cast_1d",
            label="cast",
            tile=home.tile,
            fields={"elements": home.regions.n_elements},
            operands=(Operand(self.partials.name, "in", home.regions), Operand(result.name, "out", home.regions)),
            settings={"input": self.partials.dtype, "output": result.dtype, "dtype": result.dtype},
        )


def _block_number(grid: DynamicGrid) -> IntArray:
    """Return a number for each piece, the same for the pieces whose partial sums are added up."""
    piece = grid.piece
    nth = np.arange(len(piece)) - grid.segments[piece]
    most = int(np.diff(grid.segments).max())
    return (grid.row_part[piece] * grid.p_n + grid.col_part[piece]) * most + nth


def _shares_home(blocks: Blocks, shares: Shares) -> Home:
    begin, end = shares.run(blocks.elements)
    block, member = np.nonzero(end > begin)
    regions = blocks.regions(block, np.zeros(len(block), dtype=np.int64), begin[block, member], end[block, member])
    return Home(np.ascontiguousarray(blocks.tile[block, member]), regions)
