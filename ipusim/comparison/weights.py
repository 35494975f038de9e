"""Which operands of a graph's matmuls are the weights that a sweep makes sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ipusim.errors import BadInputError, Problem
from ipusim.files.wording import did_you_mean, join_words
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.registry import find_op

Axis = tuple[str, int]
"""A tensor and one of its dimensions."""


@dataclass(frozen=True, slots=True)
class Product:
    """A matmul with a swept weight.

    Attributes
    ----------
    op : str
        Name of the op.
    weight : str
    partner : str
        The dense operand.
    free : tuple of str and int
        The axis of the partner that is not summed over: n in ``W[m, k] X[k, n]``, the rows of X in ``X W``.
    """

    op: str
    weight: str
    partner: str
    free: Axis


def find_products(graph: Graph, patterns: Sequence[str] = ()) -> tuple[Product, ...]:
    """Return the matmuls to sweep, each with its weight; none if nothing can be made sparse.

    A weight is a 2-D input of the graph that only matmuls read. Where both operands of a matmul could be one, it is the
    one that is sparse already; else the one that is read by fewer ops, for a weight is used once and data may be
    shared; else the first.

    Parameters
    ----------
    graph : Graph
    patterns : sequence of str
        Names of weights, with ``*`` and ``?``; empty for all.

    Raises
    ------
    BadInputError
        A pattern matches no weight, or both operands of a matmul are matched.
    """
    matmuls = [op for op in graph.ops if op.kind == "matmul"]
    eligible = _eligible(graph, matmuls)
    chosen = _matching(eligible, patterns) if patterns else _found(graph, matmuls, eligible)
    _refuse_pairs(matmuls, chosen)
    return tuple(_product(graph, op, chosen) for op in matmuls if chosen & set(op.inputs))


def _eligible(graph: Graph, matmuls: Sequence[Op]) -> Mapping[str, int]:
    """Return the 2-D inputs that may be sparse wherever they are read, with the number of reading ops."""
    found: dict[str, int] = {}
    for name in dict.fromkeys(name for op in matmuls for name in op.inputs):
        readers = graph.consumers(name)
        allowed = all(
            position in find_op(op.kind).sparse_inputs
            for op in readers
            for position, each in enumerate(op.inputs)
            if each == name
        )
        if allowed and len(graph.tensors[name].shape) == 2 and graph.producer(name) is None:
            found[name] = len(readers)
    return found


def _matching(eligible: Mapping[str, int], patterns: Sequence[str]) -> set[str]:
    chosen: set[str] = set()
    problems = []
    for pattern in patterns:
        names = {name for name in eligible if fnmatchcase(name, pattern)}
        if not names:
            hint = did_you_mean(pattern, eligible) or f"there are {join_words(eligible, 'and') or 'none'}"
            message = f"{pattern!r} matches no 2-D input that only matmuls read"
            problems.append(Problem("--weights", 0, 0, "", message, hint))
        chosen |= names
    if problems:
        raise BadInputError(problems)
    return chosen


def _found(graph: Graph, matmuls: Sequence[Op], eligible: Mapping[str, int]) -> set[str]:
    chosen: set[str] = set()
    undecided = []
    for op in matmuls:
        able = [name for name in dict.fromkeys(op.inputs) if name in eligible]
        sparse = [name for name in op.inputs if graph.tensors[name].sparsity]
        if sparse:
            chosen.update(name for name in sparse if name in able)
        elif len(able) == 1 and op.inputs[0] != op.inputs[1]:
            chosen.update(able)
        elif len(able) == 2:
            undecided.append(able)
    for able in undecided:
        if not chosen & set(able):
            chosen.add(min(able, key=lambda name: eligible[name]))
    return chosen


def _refuse_pairs(matmuls: Sequence[Op], chosen: set[str]) -> None:
    pairs = [op for op in matmuls if set(op.inputs) <= chosen]
    if pairs:
        names = [f"{join_words(op.inputs, 'and')} of {op.name}" for op in pairs]
        message = f"both operands of a matmul cannot be sparse: {join_words(names, 'and')}"
        raise BadInputError([Problem("--weights", 0, 0, "", message, "name one operand of each matmul")])


def _product(graph: Graph, op: Op, chosen: set[str]) -> Product:
    weight_is_first = op.inputs[0] in chosen
    weight, partner = op.inputs if weight_is_first else op.inputs[::-1]
    rank = len(graph.tensors[partner].shape)
    turned = bool(op.attrs.get("transpose_b" if weight_is_first else "transpose_a"))
    axis = rank - 1 if weight_is_first != turned else rank - 2
    return Product(op.name, weight, partner, (partner, axis))
