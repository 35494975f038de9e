"""A graph as text: one line per tensor and operator, in the order of the program."""

from __future__ import annotations

from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Op, Sparsity, Tensor


def render_graph(graph: Graph) -> str:
    """Return `graph` as text.

    Inputs come first with what their values are made of, then each operator with the type of its result:
    ``y: float16[512, 64] = matmul(w, x) {partials: float32}  # op y``.
    """
    lines = [f"graph {graph.name}"]
    lines += [f"  {_typed(graph.tensors[name])} = {_source(graph.tensors[name])}" for name in graph.inputs]
    lines += [f"  {_application(graph, op)}" for op in graph.ops]
    return "\n".join([*lines, f"  return {', '.join(graph.outputs)}"]) + "\n"


def _application(graph: Graph, op: Op) -> str:
    results = ", ".join(_typed(graph.tensors[name]) for name in op.outputs)
    attrs = ", ".join(f"{name}: {value}" for name, value in op.attrs.items() if value is not False)
    return f"{results} = {op.kind}({', '.join(op.inputs)})" + (f" {{{attrs}}}" if attrs else "") + f"  # op {op.name}"


def _typed(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype}{list(tensor.shape)}"


def _source(tensor: Tensor) -> str:
    origin = _init(tensor.init) if tensor.init else "input"
    return f"{origin}, {_sparsity(tensor.sparsity)}" if tensor.sparsity else origin


def _init(init: Init) -> str:
    if init.kind == "file":
        return f"file {init.file}"
    return f"{init.kind}({init.scale:g})" if init.kind in ("normal", "uniform") else init.kind


def _sparsity(sparsity: Sparsity) -> str:
    return f"{sparsity.mode} sparse: density {sparsity.density:g}, block size {sparsity.block_size}, {sparsity.pattern}"
