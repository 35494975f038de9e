"""Which elementwise ops run in one compute set: trees whose inner results nobody else reads."""

from __future__ import annotations

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op
from ipusim.ops.registry import find_op

MOST_LEAVES = 8
"""Most operands of a fused vertex."""


def fused_ops(graph: Graph) -> dict[str, tuple[Op, ...]]:
    """Return the ops that run together, in program order, by the name of the last of them.

    An elementwise op joins the one that reads its result, where that is its only reader, is elementwise too, and has a
    result of the same shape and format; and where the result is no output of the graph. An op that joins nothing, and
    that nothing joins, stands alone.
    """
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for name in set(op.inputs):
            readers.setdefault(name, []).append(op)
    groups: dict[str, tuple[Op, ...]] = {}
    producer = {op.outputs[0]: op for op in graph.ops}
    position = {op.name: index for index, op in enumerate(graph.ops)}
    for op in graph.ops:
        if find_op(op.kind).family != "map":
            continue
        members: tuple[Op, ...] = (op,)
        for name in dict.fromkeys(op.inputs):
            before = producer.get(name)
            if before is None or before.name not in groups or len(readers[name]) > 1 or name in graph.outputs:
                continue
            joined = (*groups[before.name], *members)
            if _alike(graph, name, op.outputs[0]) and len(leaves(joined)) <= MOST_LEAVES:
                members = joined
                del groups[before.name]
        groups[op.name] = tuple(sorted(members, key=lambda each: position[each.name]))
    return groups


def leaves(ops: tuple[Op, ...]) -> tuple[str, ...]:
    """Return the tensors that a group of ops reads and none of them writes, each once, in the order of reading."""
    inside = {op.outputs[0] for op in ops}
    return tuple(dict.fromkeys(name for op in ops for name in op.inputs if name not in inside))


def _alike(graph: Graph, one: str, other: str) -> bool:
    a, b = graph.tensors[one], graph.tensors[other]
    return a.shape == b.shape and a.dtype == b.dtype and (a.sparsity is None) == (b.sparsity is None)
