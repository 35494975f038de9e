"""Composite operators (softmax, normalisations, attention) become the operators that they consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ipusim.frontends.parts import Parts
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Tensor
from ipusim.ops.registry import find_op


def expand_graph(graph: Graph) -> Graph:
    """Return the graph without composite ops.

    The parts of an op ``attention`` are called ``attention.max``, ``attention.sub`` and so on; the last one, whose
    result is that of the op, has its name.
    """
    tensors = dict(graph.tensors)
    ops = tuple(part for op in graph.ops for part in expand_fully(op, tensors))
    return replace(graph, tensors=tensors, ops=ops)


def expand_fully(op: Op, tensors: dict[str, Tensor]) -> list[Op]:
    """Return the ops that an op consists of, none of them a composite; new tensors are added to `tensors`."""
    if not is_composite(op, tensors):
        return [op]
    parts, _ = expand_once(op, tensors)
    return [each for part in parts for each in expand_fully(part, tensors)]


def expand_once(op: Op, tensors: dict[str, Tensor]) -> tuple[list[Op], Mapping[str, str]]:
    """Return the parts of a composite op, which may be composites, and what it saved for its gradient."""
    expand = find_op(op.kind).expand
    assert expand is not None
    parts = Parts(op.name, op.outputs[0], tensors)
    saved = expand(parts, tuple(tensors[name] for name in op.inputs), op.attrs)
    *before, last = parts.ops
    result = last.outputs[0]
    del tensors[result]
    renamed = {role: op.outputs[0] if name == result else name for role, name in (saved or {}).items()}
    return [*before, replace(last, name=op.name, outputs=op.outputs)], renamed


def is_composite(op: Op, tensors: Mapping[str, Tensor]) -> bool:
    """Return whether an op consists of others: always, or with operands like these."""
    spec = find_op(op.kind)
    if spec.expands is None:
        return spec.expand is not None
    return spec.expands(tuple(tensors[name] for name in op.inputs))
