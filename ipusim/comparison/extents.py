"""Which extents of a graph have to change together, found by asking the shape rules of its operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations

from ipusim.comparison.weights import Axis
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import ShapeError

_GROWTH = 2
_Operand = tuple[int, int]
"""Position of an operand and one of its dimensions."""


def linked_axes(graph: Graph) -> dict[Axis, frozenset[Axis]]:
    """Return for every axis of every tensor those that have the same extent by the rules of the operators.

    Each axis of an operand is doubled, alone or with one other of the same extent, and the shape rule tells whether
    that is allowed and what changes in the result. So no operator needs to be known here.
    """
    classes: dict[Axis, set[Axis]] = {}
    for name, tensor in graph.tensors.items():
        for dimension in range(len(tensor.shape)):
            classes[name, dimension] = {(name, dimension)}
    for op in graph.ops:
        for one, other in _links(graph, op):
            _unite(classes, one, other)
    return {axis: frozenset(members) for axis, members in classes.items()}


def _unite(classes: dict[Axis, set[Axis]], one: Axis, other: Axis) -> None:
    small, large = sorted((classes[one], classes[other]), key=len)
    if small is large:
        return
    large |= small
    for axis in small:
        classes[axis] = large


def _links(graph: Graph, op: Op) -> Iterator[tuple[Axis, Axis]]:
    operands = tuple(graph.tensors[name] for name in op.inputs)
    result = graph.tensors[op.outputs[0]]
    every = [(position, axis) for position, each in enumerate(operands) for axis in range(len(each.shape))]
    alone = {operand: _grown_axes(op, operands, (operand,), result) for operand in every}
    for operand, changed in alone.items():
        if changed is None or _may_stretch(graph, op, operands, operand, alone):
            continue
        for axis in changed:
            yield _axis(op, operand), (result.name, axis)
    for pair in combinations([operand for operand in every if alone[operand] is None], 2):
        one, other = pair
        if operands[one[0]].shape[one[1]] != operands[other[0]].shape[other[1]]:
            continue
        changed = _grown_axes(op, operands, pair, result)
        if changed is not None:
            yield _axis(op, one), _axis(op, other)
            yield from ((_axis(op, one), (result.name, axis)) for axis in changed)


def _axis(op: Op, operand: _Operand) -> Axis:
    return op.inputs[operand[0]], operand[1]


def _grown_axes(
    op: Op, operands: tuple[Tensor, ...], grown: tuple[_Operand, ...], result: Tensor
) -> tuple[int, ...] | None:
    """Return the axes of the result that grow with axes of the operands; None if these cannot grow."""
    larger = list(operands)
    for position, axis in grown:
        shape = list(larger[position].shape)
        shape[axis] *= _GROWTH
        larger[position] = replace(larger[position], shape=tuple(shape))
    try:
        shape_then = find_op(op.kind).infer(tuple(larger), op.attrs).shape
    except ShapeError:
        return None
    if len(shape_then) != len(result.shape):
        return None
    return tuple(axis for axis, extent in enumerate(shape_then) if extent != result.shape[axis])


def _may_stretch(
    graph: Graph,
    op: Op,
    operands: tuple[Tensor, ...],
    operand: _Operand,
    alone: Mapping[_Operand, tuple[int, ...] | None],
) -> bool:
    """Return whether an axis of extent 1 of an input only stretches to that of another operand, like a bias."""
    position, axis = operand
    if operands[position].shape[axis] != 1 or graph.producer(op.inputs[position]) is not None:
        return False
    return any(other[0] != position and changed == alone[operand] for other, changed in alone.items() if changed)
