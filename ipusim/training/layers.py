"""The layers of a graph whose weights may be sparse."""

from __future__ import annotations

from dataclasses import dataclass

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Tensor
from ipusim.ops.registry import find_op
from ipusim.training.distribution import WeightShape

CONVOLUTIONS = ("conv1d", "conv2d")


@dataclass(frozen=True, slots=True)
class Layer:
    """A product or convolution with a weight.

    Attributes
    ----------
    weight : WeightShape
        Called like the tensor.
    op : str
        The first op that reads it.
    forward_flops : int
        Of all ops that read it, in one dense pass forward.
    may_be_sparse : bool
        All ops that read it take it sparse: products, and convolutions with one group of channels.
    """

    weight: WeightShape
    op: str
    forward_flops: int
    may_be_sparse: bool = True


def weight_layers(graph: Graph) -> tuple[Layer, ...]:
    """Return the layers of a graph in the order of the pass forward.

    Weights are the graph inputs that a convolution takes as such, and the matrices that a product reads and no op
    writes (the right one of two). Depthwise convolutions are among them.

    Parameters
    ----------
    graph : Graph
        Forward ops; composite ops are left out.
    """
    inputs = set(graph.inputs)
    found: dict[str, Layer] = {}
    for op in graph.ops:
        name = _weight_of(graph, op, inputs)
        if name is None:
            continue
        operands = tuple(graph.tensors[each] for each in op.inputs)
        results = tuple(graph.tensors[each] for each in op.outputs)
        counts = tuple(each.n_elements for each in operands)
        flops = find_op(op.kind).flops(operands, results, op.attrs, counts)
        before = found.get(name)
        shape = before.weight if before else _shape(graph.tensors[name], op)
        first = before.op if before else op.name
        flops += before.forward_flops if before else 0
        found[name] = Layer(shape, first, flops, before.may_be_sparse if before else _may_be_sparse(graph, name))
    return tuple(found.values())


def _weight_of(graph: Graph, op: Op, inputs: set[str]) -> str | None:
    """Return the operand of an op that is a weight, if one is."""
    if op.kind in CONVOLUTIONS and op.inputs[1] in inputs:
        return op.inputs[1]
    if op.kind != "matmul":
        return None
    given = [name for name in op.inputs if name in inputs and len(graph.tensors[name].shape) == 2]
    return given[-1] if given and op.inputs[0] != op.inputs[1] else None


def _may_be_sparse(graph: Graph, weight: str) -> bool:
    """Return whether all ops that read a tensor take it sparse."""
    readers = ((op, index) for op in graph.ops for index, name in enumerate(op.inputs) if name == weight)
    return all(index in find_op(op.kind).sparse_inputs and op.attrs.get("groups", 1) == 1 for op, index in readers)


def _shape(weight: Tensor, op: Op) -> WeightShape:
    if op.kind in CONVOLUTIONS:
        return WeightShape(weight.name, weight.shape[0], weight.shape[1], weight.shape[2:])
    return WeightShape(weight.name, weight.shape[1], weight.shape[0])
