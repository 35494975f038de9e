"""Lowering of operators that work element by element: they run where their largest operand already is.

The result keeps that operand's tile mapping, so that a chain of them moves nothing. Operands that broadcast are sent to
every tile that needs them.
"""

from __future__ import annotations

import numpy as np

from ipusim.formats import number_format
from ipusim.ir.program import FROM_HOME, Home, Operand, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, matrix_view, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.operands import bring, home_bytes, linear_home

Shape = tuple[int, int, int]


def lower_elementwise(builder: Builder, op: Op) -> None:
    """Append an elementwise op with one or two operands to the program."""
    output = builder.graph.tensors[op.outputs[0]]
    shape, home = _common_place(builder, op)
    full = [name for name in op.inputs if builder.graph.tensors[name].n_elements == output.n_elements]
    variables: dict[str, Variable] = {name: bring(builder, op.name, name, shape, home) for name in full}
    exchange: list[Transfers] = []
    setup: list[VertexSet] = []
    for name in op.inputs:
        if name in variables:
            continue
        view = matrix_view(builder.graph.tensors[name].shape)
        if _aligned(view, shape, builder.graph.tensors[name].shape, output.shape):
            variables[name] = _small_operand(builder, op, name, view)
            exchange.append(_broadcast(builder, variables[name], home))
        else:
            source = _small_operand(builder, op, name, view)
            variables[name], move, vertices = _expanded(builder, op, source, shape, home)
            exchange.append(move)
            setup.append(vertices)
    if exchange:
        builder.steps.append(Superstep(f"{op.name}/operands", op.name, exchange=tuple(exchange)))
    if setup:
        builder.steps.append(Superstep(f"{op.name}/expand", op.name, compute=tuple(setup)))
    result = builder.place_tensor(op.outputs[0], shape, home)
    ordered = [variables[name] for name in op.inputs]
    builder.steps.append(Superstep(f"{op.name}/compute", op.name, (_vertices(op, ordered, result, shape, home),)))


def _common_place(builder: Builder, op: Op) -> tuple[Shape, Home]:
    """Return view and home that the op runs in: those of the first placed operand of full size, or the default."""
    output = builder.graph.tensors[op.outputs[0]]
    plain = matrix_view(output.shape)
    for name in op.inputs:
        placed = builder.placed(name)
        if placed is None or placed.home is None or builder.graph.tensors[name].n_elements != output.n_elements:
            continue
        others = [builder.graph.tensors[other] for other in op.inputs if other != name]
        if placed.shape == plain or all(
            other.n_elements == output.n_elements
            or _aligned(matrix_view(other.shape), placed.shape, other.shape, output.shape)
            for other in others
        ):
            return placed.shape, placed.home
    return plain, linear_home(plain, number_format(output.dtype).bytes, builder.chip.n_tiles)


def _aligned(view: Shape, shape: Shape, operand: tuple[int, ...], output: tuple[int, ...]) -> bool:
    """Return whether broadcasting the three-dimensional views means the same as broadcasting the tensors."""
    if any(extent not in (1, full) for extent, full in zip(view, shape, strict=True)):
        return False
    leading = (1,) * (len(output) - len(operand)) + operand
    merged = leading[:-2]
    if shape == matrix_view(output):
        return all(extent == 1 for extent in merged) or merged == output[:-2]
    return all(extent == 1 for extent in leading[:-1])


def _small_operand(builder: Builder, op: Op, name: str, view: Shape) -> Variable:
    placed = builder.placed(name)
    if placed is not None and placed.shape == view:
        return placed
    element_bytes = number_format(builder.graph.tensors[name].dtype).bytes
    return bring(builder, op.name, name, view, linear_home(view, element_bytes, builder.chip.n_tiles))


def _needed(view: Shape, regions: Regions) -> IntArray:
    """Return the part of a broadcast operand that each piece of the result needs: boxes [n, 6]."""
    box = regions.box.copy()
    for axis, extent in enumerate(view):
        if extent == 1:
            box[:, 2 * axis] = 0
            box[:, 2 * axis + 1] = 1
    return box


def _needed_regions(view: Shape, regions: Regions) -> Regions:
    step = tuple(0 if extent == 1 else distance for extent, distance in zip(view, regions.step, strict=True))
    return whole_boxes(_needed(view, regions), (step[0], step[1], step[2]), regions.count)


def _broadcast(builder: Builder, variable: Variable, home: Home) -> Transfers:
    """Return the exchange that brings a broadcast operand to every tile that holds a piece of the result."""
    n_tiles = builder.chip.n_tiles
    regions = _needed_regions(variable.shape, home.regions)
    n = len(regions)
    repeats = regions.count if any(regions.step) else 1
    received = np.zeros(n_tiles, dtype=np.int64)
    np.add.at(received, home.tile, regions.n_elements * repeats * variable.element_bytes)
    return Transfers(
        variable=variable.name,
        label="operands",
        source=np.full(n, FROM_HOME, dtype=np.int32),
        regions=regions,
        group=np.arange(n, dtype=np.int32),
        group_indptr=np.arange(n + 1, dtype=np.int64),
        group_tiles=home.tile,
        bytes_sent=home_bytes(variable, n_tiles),
        bytes_received=received,
    )


def _expanded(
    builder: Builder, op: Op, source: Variable, shape: Shape, home: Home
) -> tuple[Variable, Transfers, VertexSet]:
    """Return a full-size copy of an operand whose broadcasting no view can express, and how it is made."""
    graph = builder.graph
    target = builder.add_variable(f"{op.name}.{source.storage}", shape, source.dtype, "temporary", home)
    n_tiles = builder.chip.n_tiles
    received = home_bytes(target, n_tiles)
    n = len(home.tile)
    move = Transfers(
        variable=target.name,
        label="operands",
        source=np.full(n, FROM_HOME, dtype=np.int32),
        regions=home.regions,
        group=np.arange(n, dtype=np.int32),
        group_indptr=np.arange(n + 1, dtype=np.int64),
        group_tiles=home.tile,
        bytes_sent=home_bytes(source, n_tiles),
        bytes_received=received,
    )
    tiles = np.flatnonzero(received).astype(np.int32)
    vertices = VertexSet(
        codelet="expand",
        label="rearrange",
        tile=tiles,
        fields={
            "n_bytes": received[tiles],
            "extent": np.full(len(tiles), shape[2], dtype=np.int64),
            "element_bytes": np.full(len(tiles), target.element_bytes, dtype=np.int64),
        },
        operands=(),
        settings={
            "source": source.storage,
            "target": target.storage,
            "from": graph.tensors[source.storage].shape,
            "to": graph.tensors[op.outputs[0]].shape,
        },
    )
    return target, move, vertices


def _vertices(op: Op, operands: list[Variable], result: Variable, shape: Shape, home: Home) -> VertexSet:
    regions = home.regions
    elements = regions.n_elements * regions.count
    reads = tuple(
        Operand(variable.name, "in", regions if variable.shape == shape else _needed_regions(variable.shape, regions))
        for variable in operands
    )
    writes = Operand(result.name, "out", regions)
    settings: dict[str, object] = {"op": op.kind, "dtype": result.dtype}
    fields = {"elements": elements}
    if op.kind == "cast":
        codelet, label = "cast_1d", "cast"
        settings |= {"input": operands[0].dtype, "output": result.dtype}
    elif len(operands) == 1:
        codelet, label = _unary_codelet(op.kind), op.kind
    elif any(variable.shape != shape for variable in operands):
        codelet, label = "broadcast_vector_outer", op.kind
        width = regions.box[:, 5] - regions.box[:, 4]
        fields = {"rows": -(-elements // np.maximum(width, 1)), "cols": np.minimum(width, elements)}
    else:
        codelet, label = "binary_1d", op.kind
    return VertexSet(codelet, label, home.tile, fields, (*reads, writes), settings)


def _unary_codelet(kind: str) -> str:
    return "nonlinearity_1d" if kind == "relu" else "unary_1d"
