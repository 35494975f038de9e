"""Lowering of a dense matmul plan: operands to the tiles, product vertices, reduction of the partial sums, result.

The supersteps of one serial slice: exchange the operands; multiply, then exchange the partial sums; add them up, in one
to three stages. A loop over serial slices repeats them, with slices of the operands and updates of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ipusim.cost.arithmetic import ceil_div
from ipusim.ir.program import Home, Operand, Repeat, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, whole_boxes
from ipusim.ir.sharing import Sharing
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.direct import pick_operand
from ipusim.lower.grid import Grid, build_grid, side_by_side
from ipusim.lower.matmul_operands import Side, Tiled, joined_sides, multicast, product_sides, shared_home
from ipusim.lower.matmul_result import ProductResult
from ipusim.lower.operands import bring
from ipusim.lower.slices import operand_slices
from ipusim.plan.dense import DensePlan
from ipusim.plan.dense_estimate import AMP_1X1, AMP_NX1, OUTER_PRODUCT, VERTICES
from ipusim.plan.layout import DEFAULT


def lower_products(builder: Builder, ops: tuple[Op, ...], plan: DensePlan) -> None:
    """Append the supersteps of dense matmuls of equal shapes to the program.

    Several of them run beside each other, each on tiles of its own and with the same plan; the operand that they have
    in common is shared out among all their tiles and sent to all that need it at once.
    """
    first, split = ops[0], plan.split
    grids, sides, operands = product_operands(builder, ops, plan)
    variables: list[list[Variable]] = [[] for _ in ops]
    moves: list[tuple[str, Transfers]] = []
    arriving: dict[str, str] = {}
    makers: list[VertexSet] = []
    may_pick = builder.layout.choices.get(first.name, DEFAULT).pick
    for operand in operands:
        tiles, side, op = operand.tiles, operand.side, ops[operand.members[0]]
        picked = pick_operand(builder, tiles, side, len(operand.members)) if may_pick else None
        if picked is None:
            variable = bring(builder, op.name, side.tensor, side.shape, operand.home)
            if len(ops) == 1 and arrives_in_slices(builder, plan, side, variable):
                builder.streams.remove(variable.name)
                arriving[side.label] = variable.name
            move = _multicast(builder, operand, variable)
        else:
            variable, move = picked.variable, picked.transfers
            makers += picked.vertices
        for index in operand.members:
            variables[index].append(variable)
        moves.append((side.label, move if op is first else replace(move, op=op.name)))
    moves = [(label, move) for label, move in moves if len(move.source)]
    before = tuple(move for label, move in moves if split.broadcast and label == "inputs")
    inside = tuple(move for label, move in moves if not split.broadcast or label != "inputs")
    if before:
        builder.steps.append(Superstep(f"{first.name}/broadcast", first.name, exchange=before))

    results = [ProductResult(builder, op, plan, grid) for op, grid in zip(ops, grids, strict=True)]
    bodies = []
    for op, grid, pair, held, result in zip(ops, grids, sides, variables, results, strict=True):
        body = [Superstep(f"{op.name}/operands", op.name, operand_slices(plan, grid, arriving))]
        multiply = _product_vertices(builder, plan, grid, op, pair, held, result)
        bodies.append([*body, *result.reduce(multiply)])
    steps = [together(each) for each in zip(*bodies, strict=True)]
    steps[0] = replace(steps[0], exchange=inside)
    steps[1] = replace(steps[1], compute=(*makers, *steps[1].compute))
    steps = [step for step in steps if step.compute or step.exchange]
    slices = split.s_inner * split.s_outer
    if slices > 1:
        stream = Superstep(f"{first.name}/stream", first.name, streams=tuple(arriving.values()), slices=slices)
        builder.steps += in_loop(stream, steps, bool(builder.chip.dram_stacked))
    else:
        builder.steps.extend(steps)
    for result in results:
        result.finish()


def arrives_in_slices(builder: Builder, plan: DensePlan, side: Side, variable: Variable) -> bool:
    """Return whether an operand in DRAM comes in slice by slice: where there is no room for all of it.

    Every slice of the loop has to be another part of it.
    """
    slices = plan.split.s_inner * plan.split.s_outer
    if variable.name not in builder.streams or side.count != slices or slices == 1:
        return False
    share = ceil_div(variable.n_elements * variable.element_bytes, plan.tiles_used)
    return share + plan.estimate.temporary_bytes > builder.chip.tile_sram_bytes


def in_loop(stream: Superstep, body: Sequence[Superstep], ahead: bool) -> list[Superstep | Repeat]:
    """Return a loop over serial slices, with the stream that brings in a slice for each iteration, if it has any.

    With `ahead`, the first slice comes in before the loop, and each further one beside the iteration before its own.
    """
    if not stream.streams:
        return [Repeat(stream.slices, tuple(body))]
    if not ahead:
        return [Repeat(stream.slices, (stream, *body))]
    following = replace(stream, name=f"{stream.name} ahead", ahead=True)
    return [replace(stream, early=True), Repeat(stream.slices, (following, *body))]


@dataclass(frozen=True, slots=True)
class ProductOperand:
    """An operand of products side by side: which they read it as, the products, its tiles, blocks and best home."""

    which: int
    members: tuple[int, ...]
    tiles: Tiled
    side: Side
    home: Home


def product_operands(
    builder: Builder, ops: tuple[Op, ...], plan: DensePlan
) -> tuple[tuple[Grid, ...], list[tuple[Side, Side]], tuple[ProductOperand, ...]]:
    """Return the grids of products side by side, their left and right operands, and the operands that are different."""
    sharing = builder.sharing

    def build_grids() -> tuple[Grid, ...]:
        grids = side_by_side(build_grid(plan), len(ops), builder.chip.tiles_per_exchange_bus)
        return tuple(replace(grid, tile=sharing.array(grid.tile)) for grid in grids)

    grids = sharing.once(("grids", plan.problem, plan.split, plan.variant, len(ops)), build_grids)
    sides = [product_sides(builder, op, plan, grid) for op, grid in zip(ops, grids, strict=True)]
    every = tuple(range(len(ops)))
    found = []
    for which in (0, 1):
        common = len(ops) > 1 and len({op.inputs[which] for op in ops}) == 1
        for members in (every,) if common else tuple((index,) for index in every):
            own = [sides[index][which] for index in members]
            joined = _joined(builder, [grids[index] for index in members], own)
            found.append(ProductOperand(which, members, *joined))
    return grids, sides, tuple(found)


def _joined(builder: Builder, grids: Sequence[Grid], sides: Sequence[Side]) -> tuple[Tiled, Side, Home]:
    """Return tiles, blocks and home of an operand; they are those of the first one with the same blocks."""

    def make() -> tuple[Tiled, Side, Home]:
        tiles, side = joined_sides(grids, sides)
        return tiles, side, builder.sharing.home(shared_home(tiles, side))

    key = ("joined", *((id(grid), id(side.block)) for grid, side in zip(grids, sides, strict=True)))
    tiles, side, home = builder.sharing.once(key, make)
    return tiles, replace(side, tensor=sides[0].tensor), home


def _multicast(builder: Builder, operand: ProductOperand, variable: Variable) -> Transfers:
    """Return the exchange of an operand from where a variable has it; that of another variable there is the same."""
    tiles, side, sharing = operand.tiles, operand.side, builder.sharing
    found = sharing.once(
        ("multicast", id(tiles), id(side.group), id(variable.home)),
        lambda: sharing.transfers(multicast(tiles, side, variable)),
    )
    return replace(found, variable=variable.name, label=side.label)


def together(steps: Sequence[Superstep]) -> Superstep:
    """Return one superstep with the vertices and transfers of several; it is called like the first."""
    first = steps[0]
    if len(steps) == 1:
        return first
    op = {step.op: "" if step.op == first.op else step.op for step in steps}
    return replace(
        first,
        compute=tuple(replace(each, op=op[step.op]) for step in steps for each in step.compute),
        exchange=tuple(replace(each, op=op[step.op]) for step in steps for each in step.exchange),
    )


def _product_vertices(
    builder: Builder,
    plan: DensePlan,
    grid: Grid,
    op: Op,
    sides: tuple[Side, Side],
    variables: list[Variable],
    result: ProductResult,
) -> VertexSet:
    """Return the multiplying vertices: one on each tile, left and right block in, partial sums out."""
    variant, problem, sharing = plan.variant, plan.problem, builder.sharing

    def regions_of(side: Side) -> Regions:
        key = ("whole blocks", id(side.block), side.step, side.count)
        return sharing.once(key, lambda: sharing.regions(whole_boxes(side.block, side.step, side.count)))

    operands = (Operand(variable.name, "in", regions_of(side)) for side, variable in zip(sides, variables, strict=True))
    fields, settings = sharing.once(("product fields", id(grid)), lambda: _shared_vertex(plan, grid, sharing))
    return VertexSet(
        codelet=VERTICES[variant.vertex],
        label="amp",
        tile=grid.tile,
        fields=fields,
        operands=(*operands, Operand(result.partials.name, "out", result.partial_regions())),
        settings={
            "inputs": problem.inputs_format,
            "partials": problem.partials_format,
            "in_channels": variant.inner_channels,
            "transpose_left": bool(op.attrs.get("transpose_a", False)),
            "transpose_right": bool(op.attrs.get("transpose_b", False)),
            **settings,
        },
    )


def _shared_vertex(plan: DensePlan, grid: Grid, sharing: Sharing) -> tuple[dict[str, IntArray], dict[str, object]]:
    fields, settings = _vertex(plan, grid)
    return {name: sharing.array(values) for name, values in fields.items()}, settings


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
        "conv_groups": groups,
        "in_groups": (grid.inner[:, 1] - grid.inner[:, 0]) // variant.inner_channels,
        "out_groups": out_groups,
    }
    if variant.vertex == AMP_1X1:
        passes = ceil_div(variant.outer_channels, variant.units)
        return {"rows": rows, **fields}, {"units": variant.units, "passes": passes}
    ones = np.ones_like(rows)
    fields = {"lines": ones, "width": rows, **fields, "kernel_first": ones, "kernel_rest": ones}
    settings: dict[str, object] = {"out_channels": variant.outer_channels}
    if variant.vertex == AMP_NX1:
        settings |= {
            "units": variant.units,
            "passes": ceil_div(variant.outer_channels, variant.units),
            "filter_height": plan.unit_channels // variant.inner_channels,
        }
    return fields, settings
