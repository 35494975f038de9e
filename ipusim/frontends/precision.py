"""Casts that number formats of 8 bits need: only matrix products and convolutions compute in them."""

from __future__ import annotations

from dataclasses import replace

from ipusim.formats.scale import AUTO
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Tensor
from ipusim.ops.spec import computed_format, is_quarter

PRODUCTS = ("matmul", "conv1d", "conv2d")
"""Operators that take operands of 8 bits."""


def insert_casts(graph: Graph) -> Graph:
    """Return the graph with a cast before every operand that its op cannot take in the format that it has.

    A dense product with an operand of 8 bits takes the others in its format, with a scale that follows from their
    largest value. Any other op that computes takes operands of 8 bits as float16; one that only moves them, as they
    are. Ops that need the same cast share it.
    """
    if not any(is_quarter(tensor.dtype) for tensor in graph.tensors.values()):
        return graph
    tensors, ops = dict(graph.tensors), []
    for op in graph.ops:
        inputs = []
        for name, dtype in zip(op.inputs, _wanted(op, tensors), strict=True):
            cast = f"{name}#{dtype}"
            if tensors[name].dtype == dtype:
                inputs.append(name)
                continue
            if cast not in tensors:
                tensors[cast] = Tensor(cast, tensors[name].shape, dtype)
                scale = AUTO if is_quarter(dtype) else 1.0
                ops.append(Op(f"{name}.{dtype}", "cast", (name,), (cast,), {"to": dtype, "scale": scale}))
            inputs.append(cast)
        ops.append(replace(op, inputs=tuple(inputs)))
    return replace(graph, tensors=tensors, ops=tuple(ops))


def _wanted(op: Op, tensors: dict[str, Tensor]) -> tuple[str, ...]:
    """Return the formats in which an op takes its operands."""
    operands = [tensors[name] for name in op.inputs]
    formats = tuple(tensor.dtype for tensor in operands)
    quarters = [dtype for dtype in formats if is_quarter(dtype)]
    if not quarters or op.kind == "cast":
        return formats
    result = tensors[op.outputs[0]].dtype
    if op.kind in PRODUCTS and not any(tensor.sparsity for tensor in operands):
        return tuple(dtype if is_quarter(dtype) else quarters[0] for dtype in formats)
    if is_quarter(result):
        return formats
    return tuple(computed_format(dtype) for dtype in formats)
