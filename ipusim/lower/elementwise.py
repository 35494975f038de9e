"""Lowering of operators that work element by element: they run where their first operand of full size already is.

The result keeps that operand's tile mapping, so that a chain of them moves nothing. Operands that broadcast are sent to
the tiles that need them and do not have them. Ops that :mod:`ipusim.lower.fusion` joins are one compute set.
"""

from __future__ import annotations

import numpy as np

from ipusim.codelets.op_constants import ACTIVATION_GRADIENTS, ACTIVATIONS, BINARY_OPS, UNARY_OPS
from ipusim.codelets.registry import codelet as find_codelet
from ipusim.formats import number_format
from ipusim.ir.expression import Expression, Node, broadcast_pattern
from ipusim.ir.program import Home, Operand, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, matrix_view
from ipusim.ir.tensor import Op, Tensor
from ipusim.lower.broadcast import known_runs, operand_transfers
from ipusim.lower.builder import Builder
from ipusim.lower.fusion import leaves
from ipusim.lower.homes import linear_home, unrolled
from ipusim.lower.operands import bring
from ipusim.ops.registry import find_op
from ipusim.plan.layout import DEFAULT

Shape = tuple[int, int, int]


def lower_map(builder: Builder, ops: tuple[Op, ...]) -> None:
    """Append elementwise ops that run together; the last one's result is that of all."""
    op = ops[-1]
    output = builder.graph.tensors[op.outputs[0]]
    if output.sparsity is not None:
        from ipusim.lower.sparse_map import lower_sparse_map

        lower_sparse_map(builder, ops)
        return
    read = leaves(ops)
    small = tuple(name for name in read if builder.graph.tensors[name].n_elements != output.n_elements)
    shape, home = common_place(builder, op, tuple(name for name in read if name not in small), bool(small))
    exchange: list[Transfers] = []
    operands: dict[str, Operand] = {}
    for name in read:
        tensor = builder.graph.tensors[name]
        if name not in small:
            variable = bring(builder, op.name, name, shape, home)
            operands[name] = Operand(variable.name, "in", home.regions)
            continue
        variable = small_operand(builder, op, name)
        regions = known_runs(builder, broadcast_pattern(tensor.shape, output.shape), shape, home, variable)
        exchange += operand_transfers(builder, variable, home.tile, regions)
        operands[name] = Operand(variable.name, "in", regions)
    if exchange:
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=tuple(exchange)))
    for inner in ops[:-1]:
        name = inner.outputs[0]
        register = builder.add_variable(name, shape, output.dtype, "register", None, storage=name)
        operands[name] = Operand(register.name, "out", home.regions)
    result = builder.place_tensor(op.outputs[0], shape, home)
    operands[op.outputs[0]] = Operand(result.name, "out", home.regions)
    patterns = tuple(broadcast_pattern(builder.graph.tensors[name].shape, output.shape) for name in operands)
    vertices = map_vertices(builder, ops, operands, patterns, shape, home)
    fused = tuple(each.name for each in ops[:-1])
    builder.steps.append(Superstep(f"{op.name}/compute", op.name, (vertices,), fused=fused))


def lower_cast(builder: Builder, op: Op) -> None:
    """Append a change of number format, which runs where the operand is."""
    if builder.graph.tensors[op.outputs[0]].sparsity is not None:
        from ipusim.lower.sparse_map import lower_sparse_cast

        lower_sparse_cast(builder, op)
        return
    shape, home = common_place(builder, op, op.inputs, False)
    source = bring(builder, op.name, op.inputs[0], shape, home)
    append_cast(builder, op, source, builder.place_tensor(op.outputs[0], shape, home), home)


def append_cast(builder: Builder, op: Op, source: Variable, result: Variable, home: Home) -> None:
    """Append the compute set of a change of number format between two variables that lie alike."""
    settings: dict[str, object] = {"op": "cast", "dtype": result.dtype, "input": source.dtype, "output": result.dtype}
    scale = op.attrs.get("scale", 1.0)
    vertices = VertexSet(
        "cast_1d",
        "cast",
        home.tile,
        {"elements": home.regions.n_elements * home.regions.count},
        (Operand(source.name, "in", home.regions), Operand(result.name, "out", home.regions)),
        settings if scale == 1.0 else settings | {"scale": scale},
    )
    builder.steps.append(Superstep(f"{op.name}/compute", op.name, (vertices,)))


def common_place(builder: Builder, op: Op, full: tuple[str, ...], flat: bool) -> tuple[Shape, Home]:
    """Return view and home that ops run in: those of the first operand of full size that has any, or the default.

    The layout of the graph may choose another operand.

    With `flat` the pieces of a home that steps are listed one by one.
    """
    chosen = builder.layout.choices.get(op.name, DEFAULT).mapping_of
    ordered = full if chosen is None else (full[chosen], *full)
    lasting = (builder.graph.beside.get(name, name) for name in full if name in builder.graph.updates)
    for placed in (*map(builder.first_place, lasting), *map(builder.placed, ordered)):
        if placed is not None and placed.home is not None:
            return placed.shape, _listed(builder, placed.home) if flat else placed.home
    output = builder.graph.tensors[op.outputs[0]]
    shape = matrix_view(output.shape)
    home = linear_home(shape, number_format(output.dtype).bytes, builder.chip.n_tiles)
    return shape, builder.sharing.home(home)


def _listed(builder: Builder, home: Home) -> Home:
    """Return a variable's home with its pieces listed one by one; that of an equal home is the same."""
    return builder.sharing.once(("listed", id(home)), lambda: builder.sharing.home(unrolled(home)))


def small_operand(builder: Builder, op: Op, name: str) -> Variable:
    """Return an operand that broadcasts where it is; a graph input is laid out linearly."""
    placed = builder.placed(name)
    if placed is not None:
        return placed
    tensor = builder.graph.tensors[name]
    view = matrix_view(tensor.shape)
    return bring(
        builder, op.name, name, view, linear_home(view, number_format(tensor.dtype).bytes, builder.chip.n_tiles)
    )


def map_vertices(
    builder: Builder,
    ops: tuple[Op, ...],
    operands: dict[str, Operand],
    patterns: tuple[IntArray, ...],
    shape: Shape,
    home: Home,
) -> VertexSet:
    """Return the vertices of ops that run together.

    Parameters
    ----------
    operands : dict of str to Operand
        What they read and write, by tensor; that of the last op's result comes last.
    patterns : tuple of int64 arrays [axes, 2]
        How each of them is repeated over the elements of the result.
    shape, home
        View and place of the result.
    """
    graph = builder.graph
    place = {name: index for index, name in enumerate(operands)}
    output = graph.tensors[ops[-1].outputs[0]]
    nodes = []
    for op in ops:
        spec = find_op(op.kind)
        constants = tuple(float(str(op.attrs[name])) for name in spec.constants)
        inputs = tuple(place[name] for name in op.inputs)
        nodes.append(Node(spec.function_name(op.attrs), inputs, place[op.outputs[0]], constants))
    repeated = [graph.tensors[name] for name, pattern in zip(operands, patterns, strict=True) if len(pattern)]
    wide = tuple(any(graph.tensors[name].dtype != output.dtype for name in op.inputs) for op in ops)
    codelet, settings = _costed(nodes, len(operands) - len(ops), repeated, wide)
    settings |= {"dtype": output.dtype}
    every = _fields(shape, home.regions, patterns)
    fields = {name: every[name] for name in find_codelet(codelet).fields}
    if codelet == "broadcast_vector_outer":
        # with fewer rows than workers, these share the columns of each
        settings["by_column"] = int(every["rows"].max(initial=0)) < builder.chip.worker_contexts
    label = ops[-1].kind if len(ops) == 1 else "fused"
    return VertexSet(
        codelet, label, home.tile, fields, tuple(operands.values()), settings, Expression(tuple(nodes), patterns)
    )


def _fields(shape: Shape, regions: Regions, patterns: tuple[IntArray, ...]) -> dict[str, IntArray]:
    """Return the elements of each vertex, and the rows that they fall into: runs without a gap or a new repetition."""
    elements = regions.n_elements * regions.count
    groups, rows, run = (regions.box[:, axis + 1] - regions.box[:, axis] for axis in (0, 2, 4))
    whole = run == shape[2]
    run = np.where(whole, run * rows, run)
    run = np.where(whole & (rows == shape[1]), run * groups, run)
    repeats = [int(pattern[-1, 0]) for pattern in patterns if len(pattern)]
    run = np.minimum(np.maximum(np.minimum(run, min(repeats, default=1 << 62)), 1), np.maximum(elements, 1))
    return {"elements": elements, "rows": -(-elements // run) if repeats else np.zeros_like(run), "cols": run}


def _costed(
    nodes: list[Node], n_leaves: int, repeated: list[Tensor], wide: tuple[bool, ...]
) -> tuple[str, dict[str, object]]:
    """Return codelet and settings of an expression; `wide` nodes compute in float32 beside 16-bit results."""
    first = nodes[0].function
    fused: dict[str, object] = {"functions": tuple(node.function for node in nodes), "loads": n_leaves}
    if any(wide):
        return "fused_map", fused | {"converted": wide}
    if len(nodes) == 1 and not repeated:
        if first == "gelu":
            return "gelu_1d", {"op": first}
        if first in ACTIVATIONS:
            return "nonlinearity_1d", {"op": first}
        if first in ACTIVATION_GRADIENTS:
            return "nonlinearity_grad_1d", {"op": first}
        if first in UNARY_OPS:
            return "unary_1d", {"op": first}
        if first == "power":
            return "broadcast_scalar_1d", {"op": first}
        if first in BINARY_OPS:
            return "binary_1d", {"op": first}
    if len(nodes) == 1 and len(repeated) == 1 and n_leaves == 2 and first in BINARY_OPS:
        return "broadcast_scalar_1d" if repeated[0].n_elements == 1 else "broadcast_vector_outer", {"op": first}
    return "fused_map", fused
