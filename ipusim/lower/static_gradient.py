"""Lowering of the gradient of a static weight: gather rows of both operands, multiply, add up column intervals.

Gathering and multiplying are done slice by slice, where the plan has slices; each has supersteps of its own, since its
exchange fetches from other places.

The phases are those of :mod:`ipusim.plan.static_executed_grad_w`. The weight itself is not read: its pattern is a
constant of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import Home, Operand, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.dynamic_grid import Columns, Side, part_boxes
from ipusim.lower.homes import from_home, home_bytes
from ipusim.lower.static_matmul import (
    add_exchange_code,
    add_metadata,
    block_boxes,
    boxes,
    even_home,
    linear_operand,
    reserve,
)
from ipusim.lower.static_vertices import static_vertices
from ipusim.plan.static_code import gradient_code_bytes
from ipusim.plan.static_executed_grad_w import gradient_codelet, gradient_fields, gradient_settings
from ipusim.plan.static_gradient import GatheredLines, RunGradient, StaticGradientPlan
from ipusim.plan.static_slices import amp_columns


def lower_static_gradient(builder: Builder, op: Op, plan: StaticGradientPlan) -> None:
    """Append the supersteps of the gradient of a static weight to the program."""
    _StaticGradient(builder, op, plan).lower()


@dataclass(frozen=True, slots=True)
class _Part:
    """One slice: its number, which vertices have columns of it, their tiles and columns, and what tells its names."""

    number: int
    here: IntArray
    tile: TileArray
    cols: IntArray
    suffix: str

    @property
    def width(self) -> IntArray:
        return self.cols[:, 1] - self.cols[:, 0]


class _StaticGradient:
    """The gradient of a static weight while it is being lowered."""

    def __init__(self, builder: Builder, op: Op, plan: StaticGradientPlan) -> None:
        self.builder, self.op, self.plan = builder, op, plan
        self.partition, self.size = plan.forward.partition, plan.forward.split.block_size
        problem = plan.problem
        n, groups = problem.n, problem.groups
        left = linear_operand(builder, problem.left), Side(problem.m, n, groups, problem.left_flipped)
        right = linear_operand(builder, problem.right), Side(problem.k, n, groups, problem.right_flipped)
        self.sides = (right, left) if plan.stored_transposed else (left, right)
        self.vertices = static_vertices(plan.forward, builder.chip)
        layouts = [self.partition.layouts[which] for which in self.partition.layout_of.tolist()]
        self.lines = (self.vertices.n_rows, np.concatenate([layout.n_cols for layout in layouts]))
        self.interval = np.repeat(np.arange(len(layouts)), [layout.n_runs for layout in layouts])
        self.edges = plan.edges()
        reserve(builder)
        if len(self.vertices.tile):
            add_metadata(builder, problem.sparse, self.size, self.vertices)
        add_exchange_code(builder, op.name, gradient_code_bytes(self.partition, self.edges, builder.chip))

    def lower(self) -> None:
        """Append all supersteps."""
        name = self.op.name
        steps: list[Superstep] = []
        apart = self.partition.n_intervals > 1
        casts = self.plan.problem.partials_format != self.plan.problem.dtype
        partials = self._partials() if apart or casts else self._result()
        for number in range(self.plan.n_slices):
            steps.extend(self._slice(number, partials))
        if apart:
            exchange, reduce = self._reduction(partials)
            steps[-1] = replace(steps[-1], exchange=exchange)
            steps.append(Superstep(f"{name}/reduce", name, (reduce,)))
        elif casts:
            steps.append(Superstep(f"{name}/cast", name, (self._cast(partials),)))
        self.builder.steps.extend(steps)

    def _slice(self, number: int, partials: Variable) -> Iterator[Superstep]:
        """Yield the supersteps of one slice of the columns: gather, transpose where the AMP multiplies, multiply."""
        name, several = self.op.name, self.plan.n_slices > 1
        cols = self.edges[number : number + 2, self.interval].T
        here = np.flatnonzero(cols[:, 0] < cols[:, 1])
        part = _Part(number, here, self.vertices.tile[here], cols[here], f" {number + 1}" if several else "")
        operands = tuple(
            Operand(self._arriving(variable, part).name, "in", self._column_regions(variable, side, part.cols))
            for variable, side in self.sides
        )
        yield Superstep(f"{name}/gather{part.suffix}", name, exchange=self._gather(operands, part))
        if self.plan.amp:
            transposes, operands = self._transpose(operands, part)
            yield Superstep(f"{name}/transpose{part.suffix}", name, transposes)
        yield Superstep(f"{name}/multiply{part.suffix}", name, (self._multiply(operands, partials, part),))

    def _arriving(self, variable: Variable, part: _Part) -> Variable:
        """Return what a slice of an operand counts as on the tiles: one of several slices is a thing of its own."""
        if not part.suffix:
            return variable
        name, dtype, storage = f"{self.op.name}.{variable.name}{part.suffix}", variable.dtype, variable.storage
        return self.builder.add_variable(name, variable.shape, dtype, "temporary", None, storage)

    def _column_regions(self, variable: Variable, side: Side, cols: IntArray) -> Regions:
        """Return what each vertex has of an operand: its columns of all rows, since the gathered ones are irregular.

        An operand in another shape than that of one matrix counts as a whole.
        """
        cols = np.minimum(cols, side.n)
        zero = np.zeros(len(cols), dtype=np.int64)
        if variable.shape == side.shape and (side.flipped or side.groups == 1):
            return whole_boxes(side.boxes(zero, zero + side.extent, cols[:, 0], cols[:, 1]))
        groups, rows, width = variable.shape
        return whole_boxes(np.tile(np.array([0, groups, 0, rows, 0, width], dtype=np.int64), (len(cols), 1)))

    def _gather(self, operands: tuple[Operand, ...], part: _Part) -> tuple[Transfers, ...]:
        """Return the exchange of a slice; every tile sends its share of the columns, and all once in all slices."""
        n_tiles, found = self.builder.chip.n_tiles, []
        first, last = (int(edge.sum()) for edge in self.edges[part.number : part.number + 2] - self.edges[0])
        total = int((self.edges[-1] - self.edges[0]).sum())
        for (variable, _), operand, count in zip(self.sides, operands, self.lines, strict=True):
            elements = count[part.here] * part.width * self.size
            received = np.bincount(part.tile, elements * variable.element_bytes, n_tiles).astype(np.int64)
            own = home_bytes(variable, n_tiles)
            sent = own * last // total - own * first // total
            arriving = self.builder.variables[operand.variable]
            transfers = from_home("gather", arriving, part.tile, operand.regions, sent, received)
            found.append(replace(transfers, origins=(variable.name,)) if part.suffix else transfers)
        return tuple(found)

    def _transpose(
        self, operands: tuple[Operand, ...], part: _Part
    ) -> tuple[tuple[VertexSet, ...], tuple[Operand, ...]]:
        """Return the vertices that transpose what was gathered, and what the products read then.

        The values are those of the operands; their place in the copies matters to nobody but the memory.
        """
        dtype = self.sides[0][0].dtype
        split = self.plan.forward.split
        padded = np.array([amp_columns(split, each) for each in part.width.tolist()], dtype=np.int64)
        lines = [count[part.here] for count in self.lines]
        sizes = np.concatenate([count * padded * self.size for count in lines])
        end = np.cumsum(sizes)
        total = int(end[-1])
        copies = self.builder.add_variable(f"{self.op.name}.transposed", (1, 1, total), dtype, "temporary", None)
        regions = Regions(boxes(0 * sizes, np.array([0, 1]), np.array([0, total])), end - sizes, end)
        half = len(part.tile)
        found = []
        for number, operand in enumerate(operands):
            own = regions.take(np.arange(number * half, (number + 1) * half))
            found.append(
                VertexSet(
                    codelet="sparse_block_transpose_grad_w",
                    label="transpose",
                    tile=part.tile,
                    fields={"blocks": lines[number], "cols": padded},
                    operands=(operand, Operand(copies.name, "out", own)),
                    settings={"block_size": self.size, "inputs": dtype},
                )
            )
        return tuple(found), tuple(replace(vertices.operands[1], access="in") for vertices in found)

    def _multiply(self, operands: tuple[Operand, ...], partials: Variable, part: _Part) -> VertexSet:
        plan = self.plan
        rows, cols = (self._lines(variable, side, part.number) for variable, side in self.sides)
        blocks = self.vertices.blocks[part.here] * self.size
        sums = boxes(self.interval[part.here], blocks, np.array([0, self.size]))
        return VertexSet(
            codelet=gradient_codelet(plan.forward.split),
            label="multiply",
            tile=part.tile,
            fields=self._fields(part.number),
            operands=(*operands, Operand(partials.name, "inout" if part.number else "out", whole_boxes(sums))),
            settings=gradient_settings(plan.forward.split, plan.problem.partials_format, plan.amp),
            payload=RunGradient(plan, rows, cols),
        )

    def _fields(self, number: int) -> dict[str, IntArray]:
        """Return the fields of all vertices of a slice, interval by interval as the vertices are."""
        plan, partition, known = self.plan, self.partition, {}
        columns: dict[str, list[IntArray]] = {}
        widths = self.edges[number + 1] - self.edges[number]
        for which, width in zip(partition.layout_of.tolist(), widths.tolist(), strict=True):
            if not width:
                continue
            if (which, width) not in known:
                known[which, width] = gradient_fields(
                    plan.forward.split,
                    partition.layouts[which],
                    width,
                    plan.problem.partials_format,
                    plan.amp,
                    self.builder.chip.worker_contexts,
                )
            for name, values in known[which, width].items():
                columns.setdefault(name, []).append(values)
        return {name: np.concatenate(values) for name, values in columns.items()}

    def _lines(self, variable: Variable, side: Side, number: int) -> GatheredLines:
        """Return the pieces of an operand that a slice has in every column interval."""
        n_slices = self.plan.n_slices
        edges = np.minimum(np.append(self.edges[:-1].T, self.edges[-1, -1]), side.n)
        cuts = np.arange(side.groups, dtype=np.int64) * (side.n // side.groups)
        begin = np.unique(np.concatenate([edges[:-1], cuts]))
        columns = Columns(begin, np.append(begin[1:], side.n), np.searchsorted(begin, edges))
        part = np.arange(self.partition.n_intervals, dtype=np.int64) * n_slices + number
        box, segments = part_boxes(side, 0 * part, side.extent, part, columns)
        return GatheredLines(variable.storage, side.shape, box, segments, side.flipped)

    def _shape(self, n_intervals: int) -> tuple[int, int, int]:
        return n_intervals, self.partition.order.size * self.size, self.size

    def _partials(self) -> Variable:
        name = f"{self.plan.problem.output}.partials"
        shape, dtype = self._shape(self.partition.n_intervals), self.plan.problem.partials_format
        return self.builder.add_variable(name, shape, dtype, "partials", None)

    def _result(self) -> Variable:
        """Declare the result: the gradient where the weight's non-zeros are."""
        output, shape = self.plan.problem.output, self._shape(1)
        if self.partition.n_intervals > 1:
            home = even_home(shape, max(1, ceil_div(shape[1] * shape[2], self.builder.chip.n_tiles)))
        else:
            home = Home(self.vertices.tile, whole_boxes(block_boxes(self.vertices, self.size)))
        declared = self.builder.place_tensor(output, shape, home)
        variable = replace(declared, tensor=output, index=self.plan.forward.stored_positions)
        self.builder.variables[variable.name] = variable
        return variable

    def _reduction(self, partials: Variable) -> tuple[tuple[Transfers, ...], VertexSet]:
        """Return the exchange of the sums of all intervals to where the weight lies, and the vertices that add them."""
        result, depth, n_tiles = self._result(), self.partition.n_intervals, self.builder.chip.n_tiles
        assert result.home is not None
        tile, own = result.home.tile, result.home.regions
        interval = np.tile(np.arange(depth, dtype=np.int64), len(tile))
        repeated = own.take(np.repeat(np.arange(len(tile)), depth))
        box = repeated.box.copy()
        box[:, 0], box[:, 1] = interval, interval + 1
        sources = Regions(box, repeated.begin, repeated.end)
        n_bytes = partials.element_bytes
        sent = np.bincount(self.vertices.tile, self.vertices.n_blocks * self.size**2 * n_bytes, n_tiles)
        received = np.bincount(tile, own.n_elements * depth * n_bytes, n_tiles).astype(np.int64)
        exchange = from_home("partials", partials, np.repeat(tile, depth), sources, sent.astype(np.int64), received)
        vertices = VertexSet(
            codelet="reduce_add",
            label="reduce",
            tile=tile,
            fields={"outputs": own.n_elements, "depth": np.full(len(tile), depth, dtype=np.int64)},
            operands=(
                Operand(partials.name, "in", sources, np.arange(len(tile) + 1, dtype=np.int64) * depth),
                Operand(result.name, "out", own),
            ),
            settings={"partials": partials.dtype, "output": result.dtype},
        )
        return (exchange,), vertices

    def _cast(self, partials: Variable) -> VertexSet:
        result = self._result()
        assert result.home is not None
        regions = result.home.regions
        return VertexSet(
            codelet="cast_1d",
            label="cast",
            tile=result.home.tile,
            fields={"elements": regions.n_elements},
            operands=(Operand(partials.name, "in", regions), Operand(result.name, "out", regions)),
            settings={"input": partials.dtype, "output": result.dtype, "dtype": result.dtype},
        )
