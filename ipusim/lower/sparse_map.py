"""Lowering of elementwise operators on sparse tensors of one pattern: they run on the packed non-zeros.

They run where the tensor whose pattern it is has its non-zeros, so that the update of a sparse weight (weight,
gradient, state of the optimiser) needs no exchange but for a gradient that was formed elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.frontends.patterns import tensor_blocks
from ipusim.ir.expression import broadcast_pattern
from ipusim.ir.movement import Repacking, Source
from ipusim.ir.program import Home, Operand, Superstep, Transfers, Variable
from ipusim.ir.regions import IntArray
from ipusim.ir.tensor import Op, Tensor
from ipusim.lower.broadcast import needed_runs, operand_transfers
from ipusim.lower.builder import Builder
from ipusim.lower.elementwise import append_cast, map_vertices, small_operand
from ipusim.lower.fusion import leaves
from ipusim.lower.homes import same_home, unrolled
from ipusim.lower.operands import rearrangement
from ipusim.lower.static_matmul import even_home

ONE = (1,)


def lower_sparse_map(builder: Builder, ops: tuple[Op, ...]) -> None:
    """Append elementwise ops on the non-zeros of one pattern that run together; the last one's result is that of all.

    Operands are sparse tensors of that pattern, or have one element.
    """
    op, graph = ops[-1], builder.graph
    output = graph.tensors[op.outputs[0]]
    place = _place(builder, output)
    assert place.home is not None
    shape, home = place.shape, unrolled(place.home)
    exchange: list[Transfers] = []
    operands: dict[str, Operand] = {}
    patterns: dict[str, IntArray] = {}
    whole = broadcast_pattern(shape, shape)
    for name in leaves(ops):
        if graph.tensors[name].sparsity is not None:
            operands[name] = Operand(bring_packed(builder, op.name, name, place, home).name, "in", home.regions)
            patterns[name] = whole
            continue
        variable = small_operand(builder, op, name)
        patterns[name] = broadcast_pattern(ONE, shape)
        regions = needed_runs(patterns[name], shape, home, variable)
        exchange += operand_transfers(builder, variable, home.tile, regions)
        operands[name] = Operand(variable.name, "in", regions)
    if exchange:
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=tuple(exchange)))
    for inner in ops[:-1]:
        name = inner.outputs[0]
        register = builder.add_variable(name, shape, output.dtype, "register", None, storage=name)
        _pack(builder, register, name, place)
        operands[name], patterns[name] = Operand(register.name, "out", home.regions), whole
    result = _pack(builder, builder.place_tensor(op.outputs[0], shape, home), op.outputs[0], place)
    operands[op.outputs[0]], patterns[op.outputs[0]] = Operand(result.name, "out", home.regions), whole
    vertices = map_vertices(builder, ops, operands, tuple(patterns[name] for name in operands), shape, home)
    fused = tuple(each.name for each in ops[:-1])
    builder.steps.append(Superstep(f"{op.name}/compute", op.name, (vertices,), fused=fused))


def lower_sparse_cast(builder: Builder, op: Op) -> None:
    """Append a change of number format of the non-zeros of a tensor, where the tensor whose pattern it is has them."""
    output = builder.graph.tensors[op.outputs[0]]
    place = _place(builder, output)
    assert place.home is not None
    home = unrolled(place.home)
    source = bring_packed(builder, op.name, op.inputs[0], place, home)
    result = _pack(builder, builder.place_tensor(op.outputs[0], place.shape, home), op.outputs[0], place)
    append_cast(builder, op, source, result, home)


def packed_variables(builder: Builder, tensor: str) -> tuple[Variable, ...]:
    """Return the variables that hold the non-zeros of a graph input, in the order in which they were declared."""
    return tuple(each for each in builder.variables.values() if each.tensor == tensor and each.kind == "tensor")


def _place(builder: Builder, output: Tensor) -> Variable:
    """Return the packed variable that says order and home: that of the tensor whose pattern it is.

    A tensor that no product reads is laid out block by block, evenly over the tiles.
    """
    assert output.sparsity is not None
    root = output.sparsity.pattern_of or output.name
    found = packed_variables(builder, root)
    if found:
        return found[0]
    blocks = tensor_blocks(builder.graph.tensors[root], builder.graph.seed)
    size, (_, width) = blocks.block_size, blocks.shape
    inside = np.arange(size)[:, None] * width + np.arange(size)
    first = blocks.rows.astype(np.int64) * size * width + blocks.cols.astype(np.int64) * size
    shape = (1, blocks.n_blocks * size, size)
    per_tile = -(-blocks.n_blocks * size * size // builder.chip.n_tiles)
    declared = builder.add_variable(
        f"{root}.packed", shape, builder.graph.tensors[root].dtype, "tensor", even_home(shape, max(1, per_tile))
    )
    variable = replace(declared, tensor=root, index=(first[:, None, None] + inside).reshape(-1))
    builder.variables[variable.name] = variable
    builder.inputs.setdefault(root, variable.name)
    return variable


def bring_packed(builder: Builder, op: str, name: str, place: Variable, home: Home) -> Variable:
    """Return a variable that holds an operand in the order and at the home of `place`."""
    current = builder.placed(name)
    if current is None:
        if packed_variables(builder, name):
            return packed_variables(builder, name)[0]
        return _pack(builder, builder.create_input(name, place.shape, home), name, place)
    same_order = current.index is place.index or np.array_equal(current.positions(), place.positions())
    if same_order and same_home(current.home, home):
        return current
    if same_order:
        target = _pack(builder, builder.place_tensor(name, place.shape, home), name, place)
        builder.steps.extend(rearrangement(builder, op, current, target))
        return target
    declared = builder.add_variable(f"{name}.repacked", place.shape, current.dtype, "temporary", home)
    target = _pack(builder, declared, name, place)
    repacking = Repacking(Source(current.name, current.storage), _order(current, target))
    builder.steps.extend(rearrangement(builder, op, current, target, repacking))
    return target


def _order(source: Variable, target: Variable) -> IntArray:
    """Return where each element of a packed form is in another one of the same tensor, or -1."""
    have, want = source.positions(), target.positions()
    order = np.argsort(have, kind="stable")
    place = np.searchsorted(have, want, sorter=order).clip(max=len(have) - 1)
    found: IntArray = order[place]
    return np.where((want >= 0) & (have[found] == want), found, -1)


def _pack(builder: Builder, variable: Variable, tensor: str, place: Variable) -> Variable:
    """Declare that a variable holds the non-zeros of a tensor in the order of `place`."""
    packed = replace(variable, tensor=tensor, index=place.index)
    builder.variables[packed.name] = packed
    return packed
