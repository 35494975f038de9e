"""Lowering of a ranking plan: the largest elements of every part of a row, then those of the row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ipusim.ir.program import Home, Operand, Superstep, TileArray, Transfers, Variable, VertexSet
from ipusim.ir.regions import IntArray, whole_boxes
from ipusim.ir.tensor import Op
from ipusim.lower.axis_reduction import Pieces, split_box
from ipusim.lower.builder import Builder
from ipusim.lower.operands import bring
from ipusim.plan.top_k import TopKPlan


@dataclass(frozen=True, slots=True)
class RankWork:
    """What the vertices of a ranking do.

    Attributes
    ----------
    kept : int
        Elements of each row that are wanted.
    smallest : bool
    results : tuple of str
        What the operands that are written hold: ``values``, ``indices`` or both.
    merges : bool
        Elements come with their indices, as a second operand.
    """

    kept: int
    smallest: bool
    results: tuple[str, ...]
    merges: bool


def lower_top_k(builder: Builder, op: Op, plan: TopKPlan) -> None:
    """Append the supersteps of a ranking to the program."""
    (outer, _, inner), kept, parts = plan.shape, plan.kept, plan.split.reduced
    pieces = split_box(plan.shape, plan.split)
    x = bring(builder, op.name, op.inputs[0], plan.shape, Home(pieces.tile, whole_boxes(pieces.box)))
    wanted = (str(op.attrs["result"]),)
    smallest = bool(op.attrs["smallest"])
    first = _ranked_boxes(pieces, kept)
    source = (Operand(x.name, "in", whole_boxes(pieces.box)),)
    if parts == 1:
        home = Home(pieces.tile, whole_boxes(first))
        result = builder.place_tensor(op.outputs[0], (outer, kept, inner), home)
        work = RankWork(kept, smallest, wanted, False)
        vertices = _vertices("rank", pieces.tile, pieces.box, source, (result,), first, x.dtype, work)
        builder.steps.append(Superstep(f"{op.name}/rank", op.name, (vertices,)))
        return
    shape = (outer, parts * kept, inner)
    candidates = tuple(
        builder.add_variable(f"{op.outputs[0]}.{name}", shape, dtype, "partials", None)
        for name, dtype in (("values", x.dtype), ("indices", "int32"))
    )
    work = RankWork(kept, smallest, ("values", "indices"), False)
    vertices = _vertices("rank", pieces.tile, pieces.box, source, candidates, first, x.dtype, work)
    leader = np.flatnonzero(pieces.part == 0)
    heads = pieces.tile[leader]
    owner = np.searchsorted(heads, pieces.tile, side="right") - 1
    exchange = tuple(_to_leaders(each, pieces, first, heads[owner]) for each in candidates)
    builder.steps.append(Superstep(f"{op.name}/rank", op.name, (vertices,), exchange))
    box = first[leader]
    box[:, 3] = parts * kept
    last = first[leader]
    result = builder.place_tensor(op.outputs[0], (outer, kept, inner), Home(heads, whole_boxes(last)))
    sources = tuple(Operand(each.name, "in", whole_boxes(box)) for each in candidates)
    work = RankWork(kept, smallest, wanted, True)
    merge = _vertices("merge", heads, box, sources, (result,), last, x.dtype, work)
    builder.steps.append(Superstep(f"{op.name}/merge", op.name, (merge,)))


def _ranked_boxes(pieces: Pieces, kept: int) -> IntArray:
    """Return where each piece's largest elements are among those of all parts: int64 array [n, 6]."""
    box = pieces.box.copy()
    box[:, 2] = pieces.part * kept
    box[:, 3] = box[:, 2] + kept
    return box


def _to_leaders(variable: Variable, pieces: Pieces, box: IntArray, receiver: TileArray) -> Transfers:
    """Return the exchange that brings the candidates of all parts to the tile that has the first one."""
    away = np.flatnonzero(pieces.part > 0)
    return Transfers(
        variable=variable.name,
        label="partials",
        source=pieces.tile[away],
        regions=whole_boxes(box[away]),
        group=np.arange(len(away), dtype=np.int32),
        group_indptr=np.arange(len(away) + 1, dtype=np.int64),
        group_tiles=receiver[away],
    )


def _vertices(
    label: str,
    tile: TileArray,
    box: IntArray,
    sources: tuple[Operand, ...],
    targets: tuple[Variable, ...],
    results: IntArray,
    dtype: str,
    work: RankWork,
) -> VertexSet:
    written = tuple(Operand(each.name, "out", whole_boxes(results)) for each in targets)
    rows = (box[:, 1] - box[:, 0]) * (box[:, 5] - box[:, 4])
    return VertexSet(
        codelet="heap_top_k",
        label=label,
        tile=tile,
        fields={"rows": rows, "elements": box[:, 3] - box[:, 2]},
        operands=(*sources, *written),
        settings={"kept": work.kept, "dtype": dtype},
        payload=work,
    )
