"""Composite operators (softmax, normalisations, attention) become the operators that they consist of."""

from __future__ import annotations

from dataclasses import replace

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Op, Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import settled


def expand_graph(graph: Graph) -> Graph:
    """Return the graph without composite ops.

    The parts of an op ``attention`` are called ``attention.max``, ``attention.sub`` and so on; the last one, whose
    result is that of the op, has its name.
    """
    if all(find_op(op.kind).expand is None for op in graph.ops):
        return graph
    tensors = dict(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        ops += _expanded(op, tensors)
    return replace(graph, tensors=tensors, ops=tuple(ops))


def _expanded(op: Op, tensors: dict[str, Tensor]) -> list[Op]:
    spec = find_op(op.kind)
    if spec.expand is None:
        return [op]
    parts = _Parts(op, tensors)
    spec.expand(parts, tuple(tensors[name] for name in op.inputs), op.attrs)
    *before, last = parts.ops
    del tensors[last.outputs[0]]
    found = [each for part in before for each in _expanded(part, tensors)]
    return [*found, *_expanded(replace(last, name=op.name, outputs=op.outputs), tensors)]


class _Parts:
    """The parts of one composite op, as they are added."""

    def __init__(self, op: Op, tensors: dict[str, Tensor]) -> None:
        self._op = op
        self._tensors = tensors
        self._counts: dict[str, int] = {}
        self.ops: list[Op] = []

    def constant(self, kind: str, shape: tuple[int, ...], dtype: str) -> str:
        """Add an input and return its name; ops of the graph that need the same one share it."""
        name = f"#{kind}-{'x'.join(map(str, shape))}-{dtype}"
        self._tensors.setdefault(name, Tensor(name, shape, dtype, Init(kind)))
        return name

    def add(self, kind: str, *inputs: str, **attrs: object) -> str:
        """Add an op and return the name of its result."""
        number = self._counts[kind] = self._counts.get(kind, 0) + 1
        suffix = kind if number == 1 else f"{kind}{number}"
        spec = find_op(kind)
        known = {each.name: each.default for each in spec.attributes} | attrs
        operands = tuple(self._tensors[name] for name in inputs)
        known = settled(known, operands, attrs)
        shape, dtype = spec.infer(operands, known)
        name = f"{self._op.outputs[0]}#{suffix}"
        self._tensors[name] = Tensor(name, shape, dtype)
        self.ops.append(Op(f"{self._op.name}.{suffix}", kind, inputs, (name,), known))
        return name
