"""How the vertices of static sparse matmuls are executed: from the plan they share to kernels, run by run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from ipusim.engine.executors import Bound
from ipusim.engine.values import F32Array, Values
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray
from ipusim.kernels.lines import Lines
from ipusim.kernels.sampled_product import Runs, sample_runs
from ipusim.kernels.static_product import add_sources, multiply_runs, panel_columns, store_rows
from ipusim.kernels.workers import Done, Workers, share_of
from ipusim.plan.static_gradient import RunGradient
from ipusim.plan.static_partition import RunLayout
from ipusim.plan.static_plan import StaticSparsePlan


def multiply(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Multiply every run's non-zeros with the rows of the dense operand that it gathers, into its partial rows."""
    plan = _plan(vertices)
    stored, dense, partials = operands
    problem, partition, size = plan.problem, plan.partition, plan.split.block_size
    n_inner = _inner_columns(vertices)
    view = dense.values.reshape((1, problem.n, problem.k) if problem.dense_transposed else (-1, problem.k, n_inner))
    cols = plan.split.col_order[partition.cols]
    for index, layout in enumerate(partition.layouts):
        panels = list(_panels(plan, index, n_inner, panel_columns(size)))
        if not panels:
            continue
        multiply_runs(
            stored.values.reshape(-1),
            cols,
            np.concatenate([np.zeros(1, np.int64), np.cumsum(layout.row_blocks)]),
            layout.rows_indptr,
            view,
            np.array([_box(panel, problem.k, n_inner, problem.dense_transposed) for panel in panels], dtype=np.int64),
            problem.dense_transposed,
            partials.values[index],
            np.array([first for first, _ in panels], dtype=np.int64),
            size,
            partials.half_sums,
            workers,
            share_of(done, index, len(partition.layouts)),
            partials.sums_key(index),
        )


def reduce(vertices: VertexSet, _operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    """Add up the partial rows of every row with two or more.

    Sums that are to be rounded stochastically are so when they are stored.
    """
    plan = _plan(vertices)
    partials = _partials(plan, values.flat(str(vertices.settings["source"])))
    for index, layout in enumerate(plan.partition.layouts):
        indptr, sources = _sources(layout, plan.split.row_order.size)
        for first, last in _segments(plan, index):
            add_sources(
                partials[index],
                indptr,
                sources,
                plan.split.block_size,
                first,
                last,
                plan.split.dtype == "float16" and not values.rounding.stochastic,
                workers,
            )
        done((index + 1) / len(plan.partition.layouts))


def store(vertices: VertexSet, operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    """Put every row into its place; rows without a non-zero are zero."""
    plan, problem = _plan(vertices), _plan(vertices).problem
    result = operands[0]
    out = result.values.reshape(-1)
    workers.do(lambda _workers: out.fill(0.0))
    if "source" not in vertices.settings:
        return
    partials = _partials(plan, values.flat(str(vertices.settings["source"])))
    n_inner = _inner_columns(vertices)
    for index, layout in enumerate(plan.partition.layouts):
        indptr, sources = _sources(layout, plan.split.row_order.size)
        for first, last in _panels(plan, index, n_inner, problem.n):
            if problem.output_transposed:
                place = (first * problem.m, 1, problem.m)
            else:
                batch, col = divmod(first, n_inner)
                place = (batch * problem.m * n_inner + col, n_inner, 1)
            store_rows(
                partials[index],
                indptr,
                sources,
                plan.split.row_order,
                plan.split.block_size,
                (first, last),
                out,
                place,
                result.half,
                workers,
            )
    result.settle(workers, everything=True)
    done(1.0)


def gradient(vertices: VertexSet, operands: tuple[Bound, ...], values: Values, workers: Workers, done: Done) -> None:
    """Multiply what every run gathered of the rows of both operands, at its non-zeros, and add it to the sums."""
    payload = vertices.payload
    assert isinstance(payload, RunGradient)
    forward, sums = payload.plan.forward, operands[-1]
    partition, split = forward.partition, forward.split
    left, right = (
        Lines(values.flat(each.storage).reshape(each.shape), each.box, each.segments, each.flipped, 0)
        for each in (payload.rows, payload.cols)
    )
    rows, cols = split.row_order[partition.rows], split.col_order[partition.cols]
    has_columns = np.diff(payload.rows.segments) > 0
    for index, layout in enumerate(partition.layouts):
        n_rows = np.diff(layout.rows_indptr)
        partial_row = np.repeat(np.arange(layout.rows.size), layout.row_blocks)
        run = np.repeat(np.arange(layout.n_runs), np.diff(layout.blocks_indptr))
        _, known = np.unique(run * split.col_order.size + partition.cols, return_inverse=True)
        runs = Runs(
            layout.blocks_indptr,
            rows,
            cols,
            partial_row - layout.rows_indptr[run],
            known.reshape(-1) - (np.cumsum(layout.n_cols) - layout.n_cols)[run],
            n_rows,
            layout.n_cols,
            split.block_size,
        )
        sample_runs(
            runs,
            np.flatnonzero((partition.layout_of == index) & has_columns),
            left,
            right,
            sums.values.reshape(partition.n_intervals, -1),
            sums.half,
            workers,
            share_of(done, index, len(partition.layouts)),
        )
    sums.settle(workers, everything=True)


def _plan(vertices: VertexSet) -> StaticSparsePlan:
    assert isinstance(vertices.payload, StaticSparsePlan)
    return vertices.payload


def _inner_columns(vertices: VertexSet) -> int:
    """Return how many columns of the operand stand together in storage: all, unless there is a batch of operands."""
    return int(str(vertices.settings["inner_columns"]))


def _partials(plan: StaticSparsePlan, flat: F32Array) -> F32Array:
    return flat.reshape(len(plan.partition.layouts), -1, plan.split.n_padded)


def _segments(plan: StaticSparsePlan, index: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of real columns of neighbouring intervals that use one layout."""
    edges = plan.partition.col_edges
    for which, intervals in groupby(range(plan.partition.n_intervals), lambda each: plan.partition.layout_of[each]):
        if which == index:
            members = list(intervals)
            yield int(edges[members[0]]), min(int(edges[members[-1] + 1]), plan.problem.n)


def _panels(plan: StaticSparsePlan, index: int, n_inner: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the columns of one layout in parts of at most `most` that stand together in storage."""
    for begin, end in _segments(plan, index):
        first = begin
        while first < end:
            last = min(first + most, end, (first // n_inner + 1) * n_inner)
            yield first, last
            first = last


def _box(panel: tuple[int, int], k: int, n_inner: int, transposed: bool) -> tuple[int, int, int, int, int, int]:
    """Return the part of the stored operand that holds the columns of a panel."""
    first, last = panel
    if transposed:
        return 0, 1, first, last, 0, k
    batch, col = divmod(first, n_inner)
    return batch, batch + 1, 0, k, col, col + last - first


def _sources(layout: RunLayout, n_rows: int) -> tuple[IntArray, IntArray]:
    """Return the partial rows of each block row, in the order of the tiles, as indptr and indices."""
    counts = np.bincount(layout.rows, minlength=n_rows)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    return indptr, np.argsort(layout.rows, kind="stable").astype(np.int64)
