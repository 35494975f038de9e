"""Lowering of the gradient of a dynamic weight: partial sums stay with their bucket, and each bucket meets all columns.

The columns of the dense operands are divided over the tiles of a region. Step by step either the buckets go round these
tiles, metadata and partial sums, or the operands do; after as many steps as there are parts everything is at home
again. Pieces that lie in the bucket of another region need the steps of the other passes: the buckets travel, and their
sums with them, back home at last. Phases and bytes are those of :mod:`ipusim.plan.dynamic_executed_grad_w`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.ir.program import Operand, Repeat, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, in_rings, volume, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.bucket_variables import buckets_home, one_bucket, packed_weight, values_shape
from ipusim.lower.builder import Builder
from ipusim.lower.dynamic_phases import Control, propagation
from ipusim.lower.gradient_grid import build_gradient_grid
from ipusim.lower.homes import from_home, home_bytes
from ipusim.lower.operands import bring
from ipusim.plan.dynamic_fields import (
    Fields,
    Step,
    bucket_fields,
    gradient_codelet,
    gradient_fields,
    gradient_measures,
    propagation_steps,
)
from ipusim.plan.dynamic_gradient import DynamicGradientPlan
from ipusim.plan.dynamic_payload import BucketMetadata, MetBuckets

HERE = (0, 0)


def lower_dynamic_gradient(builder: Builder, op: Op, plan: DynamicGradientPlan) -> None:
    """Append the supersteps of the gradient of a dynamic weight to the program."""
    _DynamicGradient(builder, op, plan).lower()


class _DynamicGradient:
    """The gradient of a dynamic weight while it is being lowered."""

    def __init__(self, builder: Builder, op: Op, plan: DynamicGradientPlan) -> None:
        self.builder, self.op, self.plan = builder, op, plan
        self.chosen = plan.plan
        self.grid = grid = build_gradient_grid(plan)
        _, self.metadata = packed_weight(builder, plan)
        self.sides = (grid.rows, grid.cols)
        self.operands = tuple(bring(builder, op.name, each.tensor, each.side.shape, each.home) for each in self.sides)
        self.regions = tuple(whole_boxes(each.box) for each in self.sides)
        self.pieces = grid.pieces
        self.held = BucketMetadata(plan)
        shape = values_shape(self.chosen)
        self.home = buckets_home(self.chosen, shape)
        dtype = builder.graph.tensors[plan.problem.output].dtype
        if plan.partials_format == dtype:
            self.partials = self._result()
        else:
            name = f"{plan.problem.output}.partials"
            self.partials = builder.add_variable(name, shape, plan.partials_format, "partials", self.home)

    def lower(self) -> None:
        """Append all supersteps."""
        op, placement, steps = self.op, self.plan.placement, self.builder.steps
        measures = gradient_measures(placement)
        steps.append(Superstep(f"{op.name}/zero", op.name, (self._zero(),), self._arrival()))
        if self.chosen.amp_grad_w:
            steps.append(Superstep(f"{op.name}/transpose", op.name, self._transpose()))
        steps.append(self._ring(bucket_fields(placement, measures)))
        control = Control(self.builder, op.name, self.grid.tile)
        steps.extend(control.of_call())
        self._propagate(propagation_steps(placement, measures), control)
        if self.partials.storage != self.plan.problem.output:
            steps.append(Superstep(f"{op.name}/cast", op.name, (self._cast(),)))

    def _result(self) -> Variable:
        """Declare the result: the gradient in buckets, as the weight is."""
        output = self.plan.problem.output
        declared = self.builder.place_tensor(output, values_shape(self.chosen), self.home)
        variable = replace(declared, tensor=output, index=self.plan.value_index)
        self.builder.variables[variable.name] = variable
        return variable

    def _zero(self) -> VertexSet:
        return VertexSet(
            codelet="sparse_zero",
            label="zero",
            tile=self.grid.tile,
            fields={"partials": self.home.regions.n_elements},
            operands=(Operand(self.partials.name, "out", self.home.regions),),
            settings={"partials": self.partials.dtype},
        )

    def _arrival(self) -> tuple[Transfers, ...]:
        """Return the exchange of the operands that tiles of several regions need."""
        sent = (home_bytes(variable, self.builder.chip.n_tiles) for variable in self.operands)
        return tuple(
            self._delivery("dense", variable, regions, own)
            for side, variable, regions, own in zip(self.sides, self.operands, self.regions, sent, strict=True)
            if side.sharers > 1
        )

    def _delivery(self, label: str, variable: Variable, regions: Regions, sent: IntArray | None = None) -> Transfers:
        """Return an exchange in which every tile receives its pieces; where none is said, it sends as much."""
        tile = np.repeat(self.grid.tile, len(regions) // len(self.grid.tile))
        n_bytes = volume(regions.box) * variable.element_bytes
        received = np.bincount(tile, n_bytes, self.builder.chip.n_tiles).astype(np.int64)
        return from_home(label, variable, tile, regions, received if sent is None else sent, received)

    def _transpose(self) -> tuple[VertexSet, ...]:
        """Return the vertices that transpose what every tile has of the operands, which from there on is its own."""
        size, z = self.chosen.problem.block_size, self.chosen.z
        tile, found, copies = self.grid.tile, [], []
        for side, source, regions in zip(self.sides, self.operands, self.regions, strict=True):
            shape = (len(tile), side.blocks * size, z)
            number = np.arange(len(tile), dtype=np.int64)
            zero = 0 * number
            own = whole_boxes(np.stack([number, number + 1, zero, zero + shape[1], zero, zero + z], axis=1))
            name = f"{self.op.name}.{side.tensor}"
            copy = self.builder.add_variable(name, shape, source.dtype, "partials", None)
            vertices = VertexSet(
                codelet="sparse_block_transpose_grad_w",
                label="transpose",
                tile=tile,
                fields={"blocks": zero + side.blocks, "cols": zero + z},
                operands=(
                    Operand(source.name, "in", regions, self.grid.segments),
                    Operand(copy.name, "out", own),
                ),
                settings={"block_size": size, "inputs": source.dtype, "flipped": side.side.flipped},
            )
            found.append(vertices)
            copies.append((copy, own))
        self.operands = tuple(copy for copy, _ in copies)
        self.regions = tuple(own for _, own in copies)
        self.pieces = 1
        return tuple(found)

    def _ring(self, fields: Fields) -> Superstep | Repeat:
        """Return the products of all parts of the batch: one step for each, and on the way to the next."""
        name, parts = f"{self.op.name}/multiply", self.chosen.p_n
        if parts == 1:
            payload = MetBuckets(self.held, HERE, turning=False)
            return Superstep(name, self.op.name, (self._multiply(fields, self.partials, self.home.regions, payload),))
        if self.chosen.exchange_buckets:
            partials = self._travelling()
            payload = MetBuckets(self.held, HERE, turning=True)
            vertices = self._multiply(fields, partials, self._met(partials, HERE), payload)
            exchange = self._travel("buckets", partials, HERE, ahead=1)
            return Repeat(parts, (Superstep(name, self.op.name, (vertices,), exchange),))
        here = tuple(in_rings(regions, parts, self.pieces) for regions in self.regions)
        following = (in_rings(regions, parts, self.pieces, 1) for regions in self.regions)
        exchange = tuple(
            self._delivery("operands", variable, regions)
            for variable, regions in zip(self.operands, following, strict=True)
        )
        payload = MetBuckets(self.held, HERE, turning=False)
        vertices = self._multiply(fields, self.partials, self.home.regions, payload, here)
        return Repeat(parts, (Superstep(name, self.op.name, (vertices,), exchange),))

    def _travelling(self) -> Variable:
        """Return a variable for the partial sums on their way."""
        own = self.partials
        return self.builder.add_variable(f"{own.name}.travelling", own.shape, own.dtype, "temporary", None, own.storage)

    def _travel(
        self, label: str, partials: Variable, distance: tuple[int, int], ahead: int = 0
    ) -> tuple[Transfers, ...]:
        """Return the exchange that brings every tile the bucket it works on next: its metadata and its sums."""
        both = (partials, self.metadata)
        return tuple(self._delivery(label, variable, self._met(variable, distance, ahead)) for variable in both)

    def _met(self, variable: Variable, distance: tuple[int, int], ahead: int = 0) -> Regions:
        """Return which bucket of a variable each tile meets: in the region that far below, one after the other."""
        chosen = self.chosen
        region, z = np.divmod(np.arange(chosen.n_tiles_used, dtype=np.int64), chosen.p_n)
        x, y = np.divmod(region, chosen.p_k)
        region = (x - distance[0]) % chosen.p_m * chosen.p_k + (y - distance[1]) % chosen.p_k
        return in_rings(one_bucket(variable.shape, region, z), chosen.p_n, ahead=ahead)

    def _multiply(
        self,
        fields: Fields,
        partials: Variable,
        sums: Regions,
        payload: MetBuckets,
        held: tuple[Regions, ...] = (),
    ) -> VertexSet:
        """Return the products of the buckets that the tiles have with the operands they hold."""
        chosen, segments = self.chosen, np.arange(len(self.grid.tile) + 1, dtype=np.int64) * self.pieces
        dense = zip(self.operands, held or self.regions, strict=True)
        plain = not chosen.amp_grad_w
        return VertexSet(
            codelet=gradient_codelet(chosen),
            label="multiply",
            tile=self.grid.tile,
            fields=gradient_fields(chosen, fields),
            operands=(
                *(Operand(variable.name, "in", regions, segments) for variable, regions in dense),
                Operand(partials.name, "inout", sums),
            ),
            settings={
                "block_size": chosen.problem.block_size,
                "inputs": self.plan.problem.dtype,
                "partials": self.partials.dtype,
                "amp": chosen.amp_grad_w,
                "rows_flipped": plain and self.grid.rows.side.flipped,
                "cols_flipped": plain and self.grid.cols.side.flipped,
            },
            payload=payload,
        )

    def _propagate(self, steps: list[Step], control: Control) -> None:
        """Append the steps in which buckets meet the regions of the pieces that they took over, and the way home."""
        if not steps:
            return
        chosen, on_the_way = self.chosen, {}

        def travel(step: Step | None) -> tuple[Transfers, ...]:
            on_the_way[id(step)] = self._travelling()
            return self._travel("propagate", on_the_way[id(step)], (step and step.distance) or HERE)

        def multiply(step: Step) -> VertexSet:
            partials, distance = on_the_way[id(step)], step.distance or HERE
            sums = self._met(partials, distance)
            vertices = self._multiply(step.fields, partials, sums, MetBuckets(self.held, distance, turning=True))
            return replace(vertices, operands=(), payload=None) if step.distance is None else vertices

        name = self.op.name
        self.builder.steps.extend(propagation(name, steps, control, travel, multiply))
        extent_x, extent_y, _ = self.plan.placement.extent
        home = (1 - extent_x) % chosen.p_m + (1 - extent_y) % chosen.p_k
        exchange = tuple(
            self._delivery("propagate", variable, self._met(variable, HERE).at(0))
            for variable in (self._travelling(), self.metadata)
        )
        self.builder.steps.append(Repeat(home, (Superstep(f"{name}/travel home", name, exchange=exchange),)))

    def _cast(self) -> VertexSet:
        partials, result, regions = self.partials, self._result(), self.home.regions
        return VertexSet(
            codelet="cast_1d",
            label="cast",
            tile=self.grid.tile,
            fields={"elements": regions.n_elements},
            operands=(Operand(partials.name, "in", regions), Operand(result.name, "out", regions)),
            settings={"input": partials.dtype, "output": result.dtype, "dtype": result.dtype},
        )
