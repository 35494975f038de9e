"""Lowering of reductions over axes: one axis after the other, from the last, as ``[outer, reduced, inner]``.

Neighbouring axes that are reduced, or kept, together count as one. Each result is formed on the tile that holds all
that goes into it, or in parts on several tiles, whose results are exchanged and reduced again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ipusim.formats import number_format
from ipusim.ir.program import FROM_HOME, Home, Operand, Superstep, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.broadcast import resident, variable_runs
from ipusim.lower.builder import Builder
from ipusim.lower.homes import home_bytes, placed_intervals
from ipusim.lower.operands import bring
from ipusim.ops.reduction import reduced_axes
from ipusim.ops.registry import find_op
from ipusim.plan.axis_reduction import AxisSplit, plan_axis_reduction
from ipusim.plan.layout import DEFAULT, IN_PLACE

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Boxes of ``[outer, reduced, inner]`` on tiles: int32 and int64 arrays [n], [n, 6]; `part` numbers the parts."""

    tile: np.ndarray[tuple[int], np.dtype[np.int32]]
    box: IntArray
    part: IntArray


def lower_reduction(builder: Builder, op: Op) -> None:
    """Append a reduction to the program."""
    tensor = builder.graph.tensors[op.inputs[0]]
    operator = find_op(op.kind).function_name(op.attrs)
    stages = axis_stages(tensor.shape, reduced_axes(tensor.shape, op.attrs))
    output = builder.graph.tensors[op.outputs[0]]
    scale = output.n_elements / tensor.n_elements if find_op(op.kind).averages else 1.0
    choice = builder.layout.choices.get(op.name, DEFAULT).parts
    source: Variable | None = None
    for number, shape in enumerate(stages, start=1):
        add = operator in ("add", "square_add")
        element_bytes = number_format(tensor.dtype).bytes if source is None else source.element_bytes
        split = plan_axis_reduction(*shape, element_bytes, add, builder.chip, choice if number == 1 else None)
        resting = resting_pieces(builder, tensor.name, shape) if choice == IN_PLACE and number == 1 else None
        pieces = split_box(shape, split) if resting is None else resting
        home = Home(pieces.tile, whole_boxes(pieces.box))
        if resting is not None:
            split = split._replace(reduced=int(pieces.part.max()) + 1)
            source = builder.other_view(tensor.name, shape, home)
        elif source is None:
            source = bring(builder, op.name, tensor.name, shape, home)
        else:
            source = _moved(builder, op, source, shape, pieces, f"stage {number}")
        rest = (split.reduced, number == len(stages))
        source = _reduce(builder, op, operator, source, pieces, shape, rest, scale)
        if split.reduced > 1:
            final = split_box((shape[0], split.reduced, shape[2]), AxisSplit(split.outer, 1, split.inner))
            source = _moved(builder, op, source, source.shape, final, f"parts {number}")
            again = (1, number == len(stages))
            source = _reduce(builder, op, _again(operator), source, final, source.shape, again, scale)
        operator = _again(operator)


def resting_pieces(builder: Builder, tensor: str, shape: Shape) -> Pieces | None:
    """Return the parts of the rows of a tensor that lie on each tile, so that it can be reduced without being moved.

    Rows of a tile that have the same columns are one box. There is none if the tensor is nowhere yet, if what is
    reduced is not contiguous, or if rows have different numbers of parts.

    Parameters
    ----------
    builder : Builder
    tensor : str
    shape : tuple of three int
        ``[outer, reduced, inner]``.
    """
    variable = builder.placed(tensor)
    if variable is None or variable.home is None or shape[2] != 1:
        return None
    outer, reduced, _ = shape
    held = placed_intervals(variable.shape, variable.home)
    stride = outer * reduced + 1
    tile, start = held.start // stride, held.start % stride
    end = start + (held.end - held.start)
    first = start // reduced
    count = (end - 1) // reduced - first + 1
    owner = np.repeat(np.arange(len(start)), count)
    row = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    low = np.maximum(start[owner] - row * reduced, 0)
    high = np.minimum(end[owner] - row * reduced, reduced)
    tile = tile[owner]
    order = np.lexsort((low, row))
    per_row = np.bincount(row, minlength=outer)
    if per_row.min() != per_row.max():
        return None
    part = np.empty(len(row), dtype=np.int64)
    part[order] = np.tile(np.arange(per_row[0]), outer)
    order = np.lexsort((row, part, high, low, tile))
    keys = np.stack([tile, low, high, part])[:, order]
    row = row[order]
    opens = np.ones(len(row), dtype=bool)
    opens[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0) | (row[1:] != row[:-1] + 1)
    begins = np.flatnonzero(opens)
    last = np.append(begins[1:], len(row)) - 1
    tile, low, high, part = keys[:, begins]
    zeros = np.zeros_like(low)
    box = np.ascontiguousarray(np.stack([row[begins], row[last] + 1, low, high, zeros, zeros + 1], axis=1))
    return Pieces(tile.astype(np.int32), box, part)


def _again(operator: str) -> str:
    """Return how results of a reduction are reduced further."""
    return "add" if operator == "square_add" else operator


def axis_stages(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[Shape, ...]:
    """Return ``[outer, reduced, inner]`` of each reduction of one merged axis, the last axis first."""
    merged: list[list[int]] = []
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        reduced = int(axis in axes)
        if merged and merged[-1][1] == reduced:
            merged[-1][0] *= extent
        else:
            merged.append([extent, reduced])
    stages = []
    for at in range(len(merged) - 1, -1, -1):
        extent, reduced = merged[at]
        if reduced:
            before = prod(each for each, _ in merged[:at])
            after = prod(each for each, still in merged[at + 1 :] if not still)
            stages.append((before, extent, after))
    return tuple(stages) or ((prod(shape), 1, 1),)


def split_box(shape: Shape, split: AxisSplit) -> Pieces:
    """Return the pieces of a box in a split: neighbouring parts of one result are on neighbouring tiles."""
    o, i, r = (axis.ravel() for axis in np.indices((split.outer, split.inner, split.reduced)))
    bounds = []
    for index, parts, extent in zip((o, r, i), split, shape, strict=True):
        bounds += [extent * index // parts, extent * (index + 1) // parts]
    box = np.ascontiguousarray(np.stack(bounds, axis=1), dtype=np.int64)
    filled = (box[:, 1::2] > box[:, ::2]).all(axis=1)
    tile = np.arange(len(box), dtype=np.int32)
    return Pieces(tile[filled], box[filled], r[filled].astype(np.int64))


def _reduce(
    builder: Builder,
    op: Op,
    operator: str,
    source: Variable,
    pieces: Pieces,
    shape: Shape,
    rest: tuple[int, bool],
    scale: float,
) -> Variable:
    """Append one compute set that reduces every piece; return the variable of the results.

    `rest` has the parts that are left of every result, and whether this is the last axis.
    """
    parts, last = rest
    box = pieces.box.copy()
    box[:, 2], box[:, 3] = pieces.part, pieces.part + 1
    final = parts == 1 and last
    home = Home(pieces.tile, whole_boxes(box))
    result_shape = (shape[0], parts, shape[2])
    if final:
        target = builder.place_tensor(op.outputs[0], result_shape, home)
    else:
        exact = operator in ("max", "min")
        dtype = builder.graph.tensors[op.outputs[0]].dtype if exact else "float32"
        target = builder.add_variable(f"{op.outputs[0]}.partials", result_shape, dtype, "partials", home)
    extents = pieces.box[:, 1::2] - pieces.box[:, ::2]
    vertices = VertexSet(
        "reduce_rows",
        "reduce",
        pieces.tile,
        {"outer": extents[:, 0], "reduced": extents[:, 1], "inner": extents[:, 2]},
        (Operand(source.name, "in", whole_boxes(pieces.box)), Operand(target.name, "out", whole_boxes(box))),
        {"op": operator, "partials": source.dtype, "output": target.dtype, "scale": scale if final else 1.0}
        | ({"finish": _finish(op)} if final and find_op(op.kind).finish else {}),
    )
    builder.steps.append(Superstep(f"{op.name}/reduce", op.name, (vertices,)))
    return target


def _finish(op: Op) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return name and constants of the functions that every result of a reduction passes at the end."""
    finish = find_op(op.kind).finish
    steps = finish(op.attrs) if finish else ()
    return tuple(
        (find_op(name).function_name(attrs), tuple(float(str(attrs[each])) for each in find_op(name).constants))
        for name, attrs in steps
    )


def _moved(builder: Builder, op: Op, source: Variable, shape: Shape, pieces: Pieces, name: str) -> Variable:
    """Append the exchange that brings partial results to where they are reduced; return them in the new view."""
    home = Home(pieces.tile, whole_boxes(pieces.box))
    view = source
    if source.shape != shape:
        view = builder.add_variable(source.name, shape, source.dtype, "partials", home, storage=source.storage)
    rows = np.arange(len(pieces.tile))
    chosen = rows
    runs = whole_boxes(pieces.box)
    if shape[2] == 1:
        flat = variable_runs(view, pieces.box[:, 0] * shape[1] + pieces.box[:, 2], _flat_end(pieces.box, shape))
        chosen = rows[~resident(builder, source, pieces.tile, flat)]
    if len(chosen):
        received = np.bincount(
            pieces.tile[chosen],
            weights=runs.n_elements[chosen] * source.element_bytes,
            minlength=builder.chip.n_tiles,
        ).astype(np.int64)
        move = Transfers(
            variable=view.name,
            label="partials",
            source=np.full(len(chosen), FROM_HOME, dtype=np.int32),
            regions=runs.take(chosen),
            group=np.arange(len(chosen), dtype=np.int32),
            group_indptr=np.arange(len(chosen) + 1, dtype=np.int64),
            group_tiles=pieces.tile[chosen],
            bytes_sent=home_bytes(source, builder.chip.n_tiles),
            bytes_received=received,
        )
        builder.steps.append(Superstep(f"{op.name}/{name}", op.name, exchange=(move,)))
    return view


def _flat_end(box: IntArray, shape: Shape) -> IntArray:
    end: IntArray = (box[:, 1] - 1) * shape[1] + box[:, 3]
    return end
