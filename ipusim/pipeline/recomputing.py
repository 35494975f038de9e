"""Recomputation: an operator runs again for its later readers, so that its result need not wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.registry import find_op

CHEAP_FAMILIES = ("map", "move", "reduce")
"""Families of operators that cost little beside a product."""

SUFFIX = "#again"
"""What is added to the name of a tensor, and of its op, that is computed again; no name of a user has it."""


def is_cheap(op: Op) -> bool:
    """Return whether an operator may run twice."""
    return find_op(op.kind).family in CHEAP_FAMILIES


def repeated_tensors(readers: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Return the names of the second copies of tensors, which :func:`recompute` makes."""
    return frozenset(f"{tensor}{SUFFIX}" for tensor in readers)


def recompute(graph: Graph, readers: Mapping[str, tuple[str, ...]]) -> Graph:
    """Return the graph in which some ops read a second copy of a tensor, made just before the first of them.

    Parameters
    ----------
    graph : Graph
    readers : mapping of tensor name to names of ops
        The ops that read the second copy.
    """
    if not readers:
        return graph
    tensors = dict(graph.tensors)
    waiting = dict(readers)
    copies: dict[str, dict[str, str]] = {}
    ops: list[Op] = []
    for op in graph.ops:
        for tensor in [name for name, later in waiting.items() if op.name in later]:
            maker = graph.producer(tensor)
            assert maker is not None
            copy = f"{tensor}{SUFFIX}"
            tensors[copy] = replace(graph.tensors[tensor], name=copy)
            ops.append(replace(maker, name=f"{maker.name}{SUFFIX}", outputs=(copy,)))
            for reader in waiting.pop(tensor):
                copies.setdefault(reader, {})[tensor] = copy
        own = copies.get(op.name, {})
        ops.append(replace(op, inputs=tuple(own.get(name, name) for name in op.inputs)))
    return replace(graph, tensors=tensors, ops=tuple(ops))
