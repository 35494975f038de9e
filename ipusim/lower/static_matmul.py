"""Lowering of a static sparse matmul: gather, multiply, add up partial sums where the plan says, move the sums home.

Every tile gathers only the block rows of the dense operand that its non-zeros need, so that its exchanges are
irregular: transfers state the bytes of every tile instead of listing pieces. The phases are those of the executed cost
(:mod:`ipusim.plan.static_executed`), and only those that occur; what a tile gathered is gone once it has multiplied.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.cost.grouped_reduction import vector_width
from ipusim.formats import number_format
from ipusim.ir.program import Home, Operand, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, Regions, matrix_view, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.builder import Builder
from ipusim.lower.homes import from_home, home_bytes
from ipusim.lower.static_vertices import StaticVertices, static_vertices
from ipusim.plan.static_code import exchange_code_bytes
from ipusim.plan.static_memory import metadata_bytes, reserved_bytes
from ipusim.plan.static_plan import StaticSparsePlan
from ipusim.plan.static_workers import codelet_of, multiply_settings

Shape = tuple[int, int, int]
METADATA_WORD_BYTES = 2
RESERVED = "code and stacks"


def lower_static_matmul(builder: Builder, op: Op, plan: StaticSparsePlan) -> None:
    """Append the supersteps of a static sparse matmul to the program."""
    dense = linear_operand(builder, plan.problem.dense)
    if plan.problem.blocks.n_blocks == 0:
        result = _result(builder, plan)
        builder.steps.append(Superstep(f"{op.name}/result", op.name, (_in_place(plan, result, {}),)))
        return
    reserve(builder)
    vertices = static_vertices(plan, builder.chip)
    values = _packed_values(builder, plan, vertices)
    add_metadata(builder, plan.problem.sparse, plan.split.block_size, vertices)
    add_exchange_code(builder, op.name, exchange_code_bytes(plan.partition, plan.reduction, builder.chip))
    partials = builder.add_variable(
        f"{op.name}.partials", _partials_shape(plan), plan.problem.partials_format, "partials", None
    )
    exchanges = _operand_exchanges(builder, plan, vertices, dense, values)
    inner_columns = _inner_columns(builder, plan)
    multiply = _multiply(plan, vertices, values, dense, partials, inner_columns)
    for label, exchange in exchanges:
        builder.steps.append(Superstep(f"{op.name}/{label}", op.name, exchange=exchange))
    result = _result(builder, plan)
    copy, together, move = _result_exchanges(builder, plan, vertices, partials, result)
    builder.steps.append(Superstep(f"{op.name}/multiply", op.name, (multiply,)))
    for label, exchange in (("copy", copy), ("partials", together)):
        if exchange:
            builder.steps.append(Superstep(f"{op.name}/{label}", op.name, exchange=exchange))
    last = _in_place(plan, result, {"source": partials.storage, "inner_columns": inner_columns})
    if together:
        builder.steps.append(Superstep(f"{op.name}/reduce", op.name, (_reduce(plan, partials, result), last), move))
    else:
        builder.steps.append(Superstep(f"{op.name}/result", op.name, (last,)))


def even_home(shape: Shape, per_tile: int) -> Home:
    """Return a home of equal runs of elements over the first tiles."""
    elements = shape[0] * shape[1] * shape[2]
    begin = np.arange(0, elements, per_tile, dtype=np.int64)
    box = np.tile(np.array([0, shape[0], 0, shape[1], 0, shape[2]], dtype=np.int64), (len(begin), 1))
    return Home(np.arange(len(begin), dtype=np.int32), Regions(box, begin, np.minimum(begin + per_tile, elements)))


def reserve(builder: Builder) -> None:
    """Set the memory aside that programs with static sparse vertices need beside their data, once for a program."""
    if RESERVED in builder.variables:
        return
    n_tiles = builder.chip.n_tiles
    home = even_home((1, 1, n_tiles), 1)
    n_bytes = reserved_bytes(builder.chip)
    builder.variables[RESERVED] = Variable(RESERVED, (1, 1, n_tiles), "byte", "reserved", RESERVED, n_bytes, home)


def linear_operand(builder: Builder, name: str) -> Variable:
    """Return a dense operand where it is; a graph input is laid out linearly, without a least size."""
    current = builder.placed(name)
    if current is not None:
        return current
    tensor = builder.graph.tensors[name]
    shape = matrix_view(tensor.shape)
    return builder.create_input(name, shape, even_home(shape, -(-tensor.n_elements // builder.chip.n_tiles)))


def _inner_columns(builder: Builder, plan: StaticSparsePlan) -> int:
    """Return how many columns of operand and result stand together: all, unless a batch comes before the rows."""
    problem, tensors = plan.problem, builder.graph.tensors
    apart = [
        tensors[name].shape[-1]
        for name, merged in ((problem.dense, problem.dense_transposed), (problem.output, problem.output_transposed))
        if not merged
    ]
    return min(apart, default=problem.n)


def _packed_values(builder: Builder, plan: StaticSparsePlan, vertices: StaticVertices) -> Variable:
    """Declare the non-zeros in the order of the device: on the tile that multiplies them, or spread over all tiles."""
    problem, size = plan.problem, plan.split.block_size
    n_blocks = problem.blocks.n_blocks
    shape = (1, n_blocks * size, size)
    if plan.split.n_splits > 1:
        home = even_home(shape, -(-n_blocks * size * size // builder.chip.n_tiles))
    else:
        home = Home(vertices.tile, whole_boxes(block_boxes(vertices, size)))
    dtype = builder.graph.tensors[problem.sparse].dtype
    declared = builder.add_variable(f"{problem.sparse}.packed", shape, dtype, "tensor", home)
    variable = replace(declared, tensor=problem.sparse, index=plan.stored_positions)
    builder.variables[variable.name] = variable
    builder.inputs.setdefault(problem.sparse, variable.name)
    return variable


def add_metadata(builder: Builder, tensor: str, block_size: int, vertices: StaticVertices) -> None:
    """Declare the tables that say where the non-zeros of each tile belong."""
    n_bytes = metadata_bytes(block_size, vertices.n_rows, vertices.n_blocks, builder.chip.worker_contexts)
    ends = np.cumsum(n_bytes // METADATA_WORD_BYTES)
    box = np.tile(np.array([0, 1, 0, 1, 0, int(ends[-1])], dtype=np.int64), (len(ends), 1))
    home = Home(vertices.tile, Regions(box, np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends))
    name = f"{tensor}.metadata"
    while name in builder.variables:
        name += "#"
    shape = (1, 1, int(ends[-1]))
    builder.variables[name] = Variable(name, shape, "uint16", "metadata", name, METADATA_WORD_BYTES, home)


def add_exchange_code(builder: Builder, op: str, code: IntArray) -> None:
    """Declare the code of the exchanges of an op, whose transfers state bytes and not pieces: int64 array [n_tiles]."""
    tile = np.flatnonzero(code).astype(np.int32)
    if not len(tile):
        return
    ends = np.cumsum(code[tile])
    shape = (1, 1, int(ends[-1]))
    box = np.tile(np.array([0, 1, 0, 1, 0, shape[2]], dtype=np.int64), (len(tile), 1))
    home = Home(tile, Regions(box, ends - code[tile], ends))
    name = f"{op}.exchange_code"
    builder.variables[name] = Variable(name, shape, "byte", "exchange_code", name, 1, home)


def _partials_shape(plan: StaticSparsePlan) -> Shape:
    """Return the shape of the partial sums: for each layout its partial rows, one below the other."""
    partition = plan.partition
    rows = max(len(layout.rows) for layout in partition.layouts)
    return len(partition.layouts), rows * plan.split.block_size, plan.split.n_padded


def block_boxes(vertices: StaticVertices, size: int) -> IntArray:
    """Return each vertex's rows of the packed non-zeros: boxes [n, 6]."""
    return boxes(np.zeros_like(vertices.blocks[:, 0]), vertices.blocks * size, np.array([0, size], dtype=np.int64))


def boxes(group: IntArray, rows: IntArray, cols: IntArray) -> IntArray:
    """Return boxes [n, 6] of one group each, with rows and columns as int64 arrays [n, 2] or [2]."""
    box = np.empty((len(group), 6), dtype=np.int64)
    box[:, 0], box[:, 1] = group, group + 1
    box[:, 2:4], box[:, 4:6] = rows, cols
    return box


def _dense_regions(plan: StaticSparsePlan, vertices: StaticVertices, dense: Variable) -> Regions:
    """Return what each vertex has of the dense operand: its columns, of all rows since the gathered ones are irregular.

    An operand in another shape than that of a plain matrix counts as a whole.
    """
    problem = plan.problem
    cols = np.minimum(vertices.cols, problem.n)
    full, zero = np.array([0, problem.k], dtype=np.int64), np.zeros(len(cols), dtype=np.int64)
    if problem.dense_transposed and dense.shape == (1, problem.n, problem.k):
        return whole_boxes(boxes(zero, cols, full))
    if not problem.dense_transposed and dense.shape == (1, problem.k, problem.n):
        return whole_boxes(boxes(zero, full, cols))
    groups, rows, width = dense.shape
    return whole_boxes(np.tile(np.array([0, groups, 0, rows, 0, width], dtype=np.int64), (len(cols), 1)))


def _operand_exchanges(
    builder: Builder, plan: StaticSparsePlan, vertices: StaticVertices, dense: Variable, values: Variable
) -> list[tuple[str, tuple[Transfers, ...]]]:
    """Return the exchanges that bring operands: vertices of blocks receive their non-zeros in an exchange of their own.

    Source: reference/MODEL_STATIC_MECHANISMS.md item 7.
    """
    n_tiles = builder.chip.n_tiles
    regions = _dense_regions(plan, vertices, dense)
    together = _on_tiles(vertices, vertices.shared_bytes, n_tiles)
    gathered = np.where(together > 0, together, _on_tiles(vertices, vertices.gathered_bytes, n_tiles))
    gather = from_home("gather", dense, vertices.tile, regions, home_bytes(dense, n_tiles), gathered)
    if together.any():
        gather = replace(gather, bytes_shared=together)
    if plan.split.n_splits == 1:
        return [("gather", (gather,))]
    non_zeros = from_home(
        "non_zeros",
        values,
        vertices.tile,
        whole_boxes(block_boxes(vertices, plan.split.block_size)),
        home_bytes(values, n_tiles),
        _on_tiles(vertices, vertices.stored_bytes, n_tiles),
    )
    if plan.split.block_size == 1:
        return [("gather", (gather, non_zeros))]
    return [("gather", (gather,)), ("non-zeros", (non_zeros,))]


def _multiply(
    plan: StaticSparsePlan,
    vertices: StaticVertices,
    values: Variable,
    dense: Variable,
    partials: Variable,
    inner_columns: int,
) -> VertexSet:
    split = plan.split
    sums = boxes(vertices.layout, vertices.rows * split.block_size, vertices.cols)
    return VertexSet(
        codelet=codelet_of(split),
        label="multiply",
        tile=vertices.tile,
        fields=vertices.fields,
        operands=(
            Operand(values.name, "in", whole_boxes(block_boxes(vertices, split.block_size))),
            Operand(dense.name, "in", _dense_regions(plan, vertices, dense)),
            Operand(partials.name, "out", whole_boxes(sums)),
        ),
        settings=multiply_settings(split) | {"inner_columns": inner_columns},
        payload=plan,
    )


def _result(builder: Builder, plan: StaticSparsePlan) -> Variable:
    """Declare the result: laid out linearly, as many elements to a tile as the plan says."""
    shape = matrix_view(builder.graph.tensors[plan.problem.output].shape)
    return builder.place_tensor(plan.problem.output, shape, even_home(shape, plan.reduction.out_share))


def _result_exchanges(
    builder: Builder, plan: StaticSparsePlan, vertices: StaticVertices, partials: Variable, result: Variable
) -> tuple[tuple[Transfers, ...], tuple[Transfers, ...], tuple[Transfers, ...]]:
    """Return what happens to the partial sums, each in an exchange of its own or none.

    Rows of a single source go to their place in the result; the others to the tile that adds them up; sums that were
    formed elsewhere to their place.
    """
    reduction, n_tiles = plan.reduction, builder.chip.n_tiles
    data_bytes = number_format(plan.problem.dtype).bytes
    width = (vertices.cols[:, 1] - vertices.cols[:, 0]) * plan.split.block_size
    single = _on_tiles(vertices, vertices.single_rows * width * data_bytes, n_tiles)
    shared = _on_tiles(vertices, (vertices.n_rows - vertices.single_rows) * width * partials.element_bytes, n_tiles)
    copy = _unlisted("copy", partials, single, reduction.copied_bytes, result.name)
    together = _unlisted("partials", partials, shared, reduction.received_bytes, "")
    move = _unlisted("move", result, reduction.sent_home_bytes, reduction.moved_bytes, result.name)
    return copy, together, move


def _reduce(plan: StaticSparsePlan, partials: Variable, result: Variable) -> VertexSet:
    """Return the vertices that add up partial sums: a group's outputs on a tile are cut over some of the workers."""
    reduction = plan.reduction
    grain = 2 * vector_width(plan.split.partials == "float32")
    group, tile = np.nonzero(reduction.loads)
    outputs = reduction.loads[group, tile]
    share = _ceil(_ceil(outputs, grain), reduction.n_workers[group]) * grain
    pieces = _ceil(outputs, share)
    of_piece = np.repeat(np.arange(len(group)), pieces)
    number = np.arange(len(of_piece)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    held = np.minimum(share[of_piece], outputs[of_piece] - number * share[of_piece])
    return VertexSet(
        codelet="grouped_reduce",
        label="reduce",
        tile=tile[of_piece].astype(np.int32),
        fields={"outputs": held, "partials": reduction.n_partials[group[of_piece]]},
        operands=(),
        settings={"partials": plan.split.partials, "source": partials.storage, "target": result.storage},
        payload=plan,
    )


def _in_place(plan: StaticSparsePlan, result: Variable, settings: dict[str, object]) -> VertexSet:
    assert result.home is not None
    regions = result.home.regions
    return VertexSet(
        codelet="static_result",
        label="result",
        tile=result.home.tile,
        fields={"elements": regions.n_elements},
        operands=(Operand(result.name, "out", regions),),
        settings=settings,
        payload=plan,
    )


def _ceil(a: IntArray, b: IntArray | int) -> IntArray:
    return -(-a // b)


def _on_tiles(vertices: StaticVertices, n_bytes: IntArray, n_tiles: int) -> IntArray:
    return np.bincount(vertices.tile, weights=n_bytes, minlength=n_tiles).astype(np.int64)


def _unlisted(label: str, variable: Variable, sent: IntArray, received: IntArray, into: str) -> tuple[Transfers, ...]:
    """Return an exchange of which only the bytes are known, or nothing if there are none."""
    tile = np.flatnonzero(received).astype(np.int32)
    if not len(tile):
        return ()
    empty = np.zeros(len(tile), dtype=np.int64)
    regions = Regions(np.zeros((len(tile), 6), dtype=np.int64), empty, empty)
    return (replace(from_home(label, variable, tile, regions, sent, received), into=into),)
