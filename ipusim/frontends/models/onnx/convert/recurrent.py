"""Recurrent layers of ONNX, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Converter, Table
from ipusim.frontends.models.onnx.convert.places import joined, part
from ipusim.frontends.models.onnx.problems import NodeError

MOST_STEPS = 4096
"""Most steps of a sequence: every step is about ten operators."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One direction of a recurrent layer.

    Attributes
    ----------
    weights : str
        Of the last state, ``[gates * hidden, hidden]``.
    w_bias, r_bias : str
        Of the products with input and last state, ``[gates * hidden]``; empty for none.
    hidden : int
    functions : list of str
        Operators that the layer names.
    """

    weights: str
    w_bias: str
    r_bias: str
    hidden: int
    functions: list[str]


Step: TypeAlias = Callable[[Conversion, Cell, str, list[str]], list[str]]
"""Adds one step: from the products with the input ``[batch, gates * hidden]`` and the last states to the next ones."""


def _recurrent(gates: int, functions: list[str], n_states: int, step: Step) -> Converter:
    """Return a converter to the steps of a layer that has so many gates and states."""

    def convert(node: Conversion) -> None:
        x = node.operand(0)
        _refuse(node)
        if node.whole("layout", 0):
            x = node.add("transpose", x, axes=[1, 0, 2])
        length, batch, features = node.shape(x)
        if length > MOST_STEPS:
            raise NodeError(f"a sequence of {length:,} steps is too long; at most {MOST_STEPS:,} are unrolled")
        directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}.get(
            node.text("direction", "forward")
        )
        if directions is None:
            raise NodeError(f"its attribute 'direction' has the unknown value {node.text('direction', '')!r}")
        rows = node.shaped(x, (length * batch, features))
        sequences, finals = [], []
        for position, backwards in enumerate(directions):
            cell = _cell(node, position, gates, _functions(node, position, functions))
            products = _of_inputs(node, rows, position, cell, length)
            states = [_initial(node, each, position, batch, cell.hidden) for each in range(n_states)]
            outputs = []
            for time in range(length)[:: -1 if backwards else 1]:
                now = node.shaped(part(node, products, 0, time, time + 1), (batch, gates * cell.hidden))
                states = step(node, cell, now, states)
                outputs.append(states[0])
            sequences.append(outputs[::-1] if backwards else outputs)
            finals.append(states)
        _give(node, sequences, finals)

    return convert


def _refuse(node: Conversion) -> None:
    """Raise NodeError for what cannot be imported."""
    if node.has(4):
        lengths = set(node.wholes(4)) if node.value(4).is_constant else {-1}
        if lengths != {node.value(0).shape[node.whole("layout", 0)]}:
            raise NodeError("sequences of different lengths cannot be imported")
    if node.has(7):
        raise NodeError("peepholes cannot be imported")
    for name in ("clip", "input_forget"):
        if node.node.attributes.get(name):
            raise NodeError(f"its attribute {name!r} cannot be imported")


def _functions(node: Conversion, position: int, default: list[str]) -> list[str]:
    named = node.node.attributes.get("activations") or []
    chosen = named[position * len(default) : (position + 1) * len(default)] or default
    found = [{"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}.get(str(each).lower(), "") for each in chosen]
    if "" in found or len(found) != len(default):
        raise NodeError(f"activations {list(chosen)} cannot be imported; there are Sigmoid, Tanh and Relu")
    return found


def _cell(node: Conversion, position: int, gates: int, functions: list[str]) -> Cell:
    hidden = node.shape(node.operand(2))[-1]
    wide = gates * hidden
    if node.shape(node.operand(2))[1:] != (wide, hidden) or node.shape(node.operand(1))[1] != wide:
        raise NodeError(f"weights {list(node.shape(node.operand(1)))} and {list(node.shape(node.operand(2)))} differ")
    recurrence = node.shaped(part(node, node.operand(2), 0, position, position + 1), (wide, hidden))
    w_bias = r_bias = ""
    if node.has(3):
        both = part(node, node.operand(3), 0, position, position + 1)
        w_bias, r_bias = (node.shaped(part(node, both, 1, i * wide, (i + 1) * wide), (wide,)) for i in (0, 1))
    return Cell(recurrence, w_bias, r_bias, hidden, functions)


def _of_inputs(node: Conversion, rows: str, position: int, cell: Cell, length: int) -> str:
    """Add the products of all steps with the input, ``[length, batch, gates * hidden]``: one product for all."""
    weights = part(node, node.operand(1), 0, position, position + 1)
    wide, features = node.shape(weights)[1:]
    products = node.add("matmul", rows, node.shaped(weights, (wide, features)), transpose_b=True)
    if cell.w_bias:
        products = node.add("add", products, cell.w_bias)
    return node.shaped(products, (length, node.shape(rows)[0] // length, wide))


def _initial(node: Conversion, which: int, position: int, batch: int, hidden: int) -> str:
    """Return the state before the first step: zeros unless given."""
    if not node.has(5 + which):
        return node.zeros(f"state{which}", (batch, hidden))
    given = node.operand(5 + which)
    if node.whole("layout", 0):
        given = node.add("transpose", given, axes=[1, 0, 2])
    return node.shaped(part(node, given, 0, position, position + 1), (batch, hidden))


def _recur(node: Conversion, state: str, weights: str, bias: str) -> str:
    product = node.add("matmul", state, weights, transpose_b=True)
    return node.add("add", product, bias) if bias else product


def _gates(node: Conversion, cell: Cell, values: str, first: int, last: int) -> str:
    return part(node, values, len(node.shape(values)) - 1, first * cell.hidden, last * cell.hidden)


def _lstm_step(node: Conversion, cell: Cell, now: str, states: list[str]) -> list[str]:
    """Gates are input, output, forget and cell; the first three share one function."""
    hidden, memory = states
    gate, inner, outer = cell.functions
    values = node.add("add", now, _recur(node, hidden, cell.weights, cell.r_bias))
    opened = node.add(gate, _gates(node, cell, values, 0, 3))
    new = node.add(inner, _gates(node, cell, values, 3, 4))
    kept = node.add("mul", _gates(node, cell, opened, 2, 3), memory)
    memory = node.add("add", kept, node.add("mul", _gates(node, cell, opened, 0, 1), new))
    return [node.add("mul", _gates(node, cell, opened, 1, 2), node.add(outer, memory)), memory]


def _gru_step(node: Conversion, cell: Cell, now: str, states: list[str]) -> list[str]:
    """Gates are update, reset and hidden: ``h = (1 - z) n + z h = n + z (h - n)``."""
    (hidden,) = states
    gate, inner = cell.functions
    if node.whole("linear_before_reset", 0):
        past = _recur(node, hidden, cell.weights, cell.r_bias)
        opened = node.add(gate, node.add("add", _gates(node, cell, now, 0, 2), _gates(node, cell, past, 0, 2)))
        reset = node.add("mul", _gates(node, cell, opened, 1, 2), _gates(node, cell, past, 2, 3))
    else:
        rows = (
            part(node, cell.weights, 0, 0, 2 * cell.hidden),
            part(node, cell.weights, 0, 2 * cell.hidden, 3 * cell.hidden),
        )
        biases = [_gates(node, cell, cell.r_bias, *ends) if cell.r_bias else "" for ends in ((0, 2), (2, 3))]
        past = _recur(node, hidden, rows[0], biases[0])
        opened = node.add(gate, node.add("add", _gates(node, cell, now, 0, 2), past))
        reset = node.add("mul", _gates(node, cell, opened, 1, 2), hidden)
        reset = _recur(node, reset, rows[1], biases[1])
    new = node.add(inner, node.add("add", _gates(node, cell, now, 2, 3), reset))
    change = node.add("mul", _gates(node, cell, opened, 0, 1), node.add("sub", hidden, new))
    return [node.add("add", new, change)]


def _rnn_step(node: Conversion, cell: Cell, now: str, states: list[str]) -> list[str]:
    past = _recur(node, states[0], cell.weights, cell.r_bias)
    return [node.add(cell.functions[0], node.add("add", now, past))]


def _give(node: Conversion, sequences: list[list[str]], finals: list[list[str]]) -> None:
    """Give the states of all steps ``[length, directions, batch, hidden]`` and the last ones."""
    batch_first = bool(node.whole("layout", 0))
    for which in range(len(finals[0])):
        if node.wants(1 + which):
            last = [node.shaped(each[which], (1, *node.shape(each[which]))) for each in finals]
            result = joined(node, last, 0)
            node.give(node.add("transpose", result, axes=[1, 0, 2]) if batch_first else result, 1 + which)
    if node.wants(0):
        ways = []
        for outputs in sequences:
            steps = [node.shaped(each, (1, 1, *node.shape(each))) for each in outputs]
            ways.append(joined(node, steps, 0))
        result = joined(node, ways, 1)
        node.give(node.add("transpose", result, axes=[2, 0, 1, 3]) if batch_first else result, 0)


TABLE: Table = {
    "LSTM": _recurrent(4, ["sigmoid", "tanh", "tanh"], 2, _lstm_step),
    "GRU": _recurrent(3, ["sigmoid", "tanh"], 1, _gru_step),
    "RNN": _recurrent(1, ["tanh"], 1, _rnn_step),
}
"""Converters of recurrent layers."""
