"""How the vertices of dynamic sparse matmuls are executed: from the metadata of the buckets that the tiles hold."""

from __future__ import annotations

import numpy as np

from ipusim.cost.dynamic_non_zeros import stored_header_words
from ipusim.engine.executors import Bound
from ipusim.engine.values import Values
from ipusim.ir.program import VertexSet
from ipusim.ir.regions import IntArray
from ipusim.kernels.dynamic_product import Form, Held, Matrix, multiply_buckets, turn_blocks
from ipusim.kernels.lines import Lines, copy_lines
from ipusim.kernels.sampled_product import Places, sample_buckets
from ipusim.kernels.scalars import signed_word
from ipusim.kernels.workers import Done, Workers
from ipusim.plan.dynamic_payload import HeldBuckets, MetBuckets


def multiply(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Add the products of the sub-groups of every tile's region, in the buckets it holds, to its partial sums."""
    payload = vertices.payload
    if payload is None:
        return
    assert isinstance(payload, HeldBuckets)
    stored, dense, partials = operands
    plan = payload.metadata.placement.plan
    problem = plan.problem
    block, transposed = problem.block_size, bool(vertices.settings["transposed"])
    unit = np.arange(plan.n_tiles_used, dtype=np.int64)
    first, count = payload.buckets(stored.iteration)
    held = Held(
        payload.metadata.words,
        stored.values.reshape(plan.n_tiles_used, -1),
        first,
        count,
        unit // plan.p_n + 1,
    )
    inner, rows = (plan.x_groups, plan.y_groups) if transposed else (plan.y_groups, plan.x_groups)
    form = Form(
        stored_header_words(block, problem.grad_w, problem.workers),
        block,
        plan.dense_unit,
        transposed,
        partials.half_sums,
        payload.distance is None,
        partials.rounding.stochastic,
        signed_word(partials.key()),
    )
    multiply_buckets(
        held,
        Matrix(dense.values, dense.regions.box, bool(vertices.settings["dense_flipped"]), inner * block),
        Matrix(partials.values, partials.regions.box, bool(vertices.settings["result_flipped"]), rows * block),
        _segments(dense),
        form,
        workers,
        done,
    )


def gradient(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Add the products of the operands that every tile has to the sums of the bucket that it works on."""
    payload = vertices.payload
    if payload is None:
        return
    assert isinstance(payload, MetBuckets)
    rows, cols, sums = operands
    plan = payload.metadata.placement.plan
    problem = plan.problem
    block = problem.block_size
    places = Places(
        payload.metadata.words,
        payload.buckets(sums.iteration),
        np.arange(plan.n_tiles_used, dtype=np.int64) // plan.p_n + 1,
        stored_header_words(block, problem.grad_w, problem.workers),
        block,
        plan.dense_unit,
    )
    sample_buckets(
        places,
        _lines(rows, bool(vertices.settings["rows_flipped"]), plan.x_groups * block),
        _lines(cols, bool(vertices.settings["cols_flipped"]), plan.y_groups * block),
        sums.values.reshape(plan.n_tiles_used, -1),
        sums.half,
        workers,
        done,
    )
    sums.settle(workers, everything=True)


def copy_operand(
    vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done
) -> None:
    """Copy what every tile has of an operand to its own memory, where the vertices want it transposed.

    What was gathered for static vertices is not copied: they are executed on the operand itself.
    """
    if "flipped" not in vertices.settings:
        done(1.0)
        return
    source, own = operands
    copy_lines(_lines(source, bool(vertices.settings["flipped"]), own.values.shape[1]), own.values, workers)
    done(1.0)


def _lines(operand: Bound, flipped: bool, count: int) -> Lines:
    return Lines(operand.values, operand.regions.box, _segments(operand), flipped, count)


def zero(_vertices: VertexSet, operands: tuple[Bound, ...], values: Values, _workers: Workers, done: Done) -> None:
    """Leave it to the products of the distribution, which follow, to start from zero."""
    values.packings.forget(operands[0].values)
    done(1.0)


def transpose(vertices: VertexSet, operands: tuple[Bound, ...], _values: Values, workers: Workers, done: Done) -> None:
    """Transpose the blocks of all buckets."""
    source, out = (operand.values.reshape(len(vertices.tile), -1) for operand in operands)
    turn_blocks(source, out, int(str(vertices.settings["block_size"])), workers)
    done(1.0)


def control(_vertices: VertexSet, _operands: tuple[Bound, ...], _values: Values, _workers: Workers, done: Done) -> None:
    """Do nothing: what the control decides at run time, the lowering has decided already."""
    done(1.0)


def _segments(operand: Bound) -> IntArray:
    if operand.segments is not None:
        return operand.segments
    return np.arange(len(operand.regions) + 1, dtype=np.int64)
