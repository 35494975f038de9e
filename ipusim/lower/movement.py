"""Lowering of operators that only move elements: nothing happens before somebody says where the result is wanted.

Then the elements go there directly, through any number of such operators, with one exchange and one copy.
"""

from __future__ import annotations

import numpy as np

from ipusim.formats import number_format
from ipusim.ir.movement import Movement, Source
from ipusim.ir.program import Home, Variable
from ipusim.ir.regions import matrix_view
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.homes import home_bytes, linear_home
from ipusim.lower.relocation import relocate


def lower_movement(builder: Builder, op: Op) -> None:
    """Note what the result of an op that moves elements consists of."""
    operands = []
    for name in op.inputs:
        waiting = builder.pending.get(builder.root(name))
        operands.append((waiting[1] if waiting else builder.root(name), builder.graph.tensors[name].shape))
    builder.pending[op.outputs[0]] = (op.name, Movement(op.kind, op.attrs, tuple(operands)))


def lower_view(builder: Builder, op: Op) -> None:
    """Make a tensor a view of another one with the same elements in the same order: nothing happens on the chip."""
    builder.add_view(op.outputs[0], op.inputs[0])


def move(builder: Builder, tensor: str, shape: tuple[int, int, int], home: Home) -> Variable:
    """Append the exchange and the copy that make a waiting tensor at a home."""
    name, movement = builder.pending.pop(builder.root(tensor))
    placed = with_places(builder, movement)
    target = builder.place_tensor(tensor, shape, home)
    n_tiles = builder.chip.n_tiles
    sources = tuple(sorted({source.variable for source in placed.sources()}))
    sent = sum((home_bytes(builder.variables[each], n_tiles) for each in sources), np.zeros(n_tiles, dtype=np.int64))
    labels = (f"{name}/exchange", f"{name}/copy")
    builder.steps.extend(relocate(builder.sharing, name, labels, target.name, target, sent, sources, placed))
    return target


def settle(builder: Builder, tensor: str) -> None:
    """Give a tensor that has no place yet the default one, be it an input or the result of a movement."""
    if builder.placed(tensor) is not None:
        return
    shape = matrix_view(builder.graph.tensors[tensor].shape)
    home = linear_home(shape, number_format(builder.graph.tensors[tensor].dtype).bytes, builder.chip.n_tiles)
    if builder.root(tensor) in builder.pending:
        move(builder, tensor, shape, home)
        return
    builder.create_input(tensor, shape, home)


def with_places(builder: Builder, movement: Movement) -> Movement:
    """Return a movement with a variable for every tensor that it takes elements from."""
    operands: list[tuple[Movement | Source | str, tuple[int, ...]]] = []
    for operand, shape in movement.operands:
        if isinstance(operand, Movement):
            operands.append((with_places(builder, operand), shape))
            continue
        assert isinstance(operand, str)
        settle(builder, operand)
        variable = builder.placed(operand)
        assert variable is not None
        operands.append((Source(variable.name, variable.storage), shape))
    return Movement(movement.kind, movement.attrs, tuple(operands))
