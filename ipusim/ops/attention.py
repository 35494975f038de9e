"""Scaled dot-product attention: softmax of the products of queries and keys, times the values."""

from __future__ import annotations

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.softmax import softmax
from ipusim.ops.spec import (
    Attrs,
    Expansion,
    F64Array,
    Flag,
    Real,
    ShapeError,
    TensorType,
    computed_format,
    shared_dtype,
    shown,
)


def _infer(inputs: tuple[Tensor, ...], _attrs: Attrs) -> TensorType:
    queries, keys, values = inputs
    for position, tensor in enumerate(inputs):
        if len(tensor.shape) < 3:
            hint = "the last dimensions are heads, sequence and features"
            raise ShapeError(
                f"attention needs at least 3 dimensions, {shown(tensor)} has fewer", operand=position, hint=hint
            )
    if queries.shape[:-3] != keys.shape[:-3] or queries.shape[-1] != keys.shape[-1]:
        raise ShapeError(f"{shown(queries)} and {shown(keys)} differ in batch or features", operand=1)
    if keys.shape[:-1] != values.shape[:-1]:
        raise ShapeError(f"{shown(keys)} and {shown(values)} differ in more than the features", operand=2)
    if queries.shape[-3] % keys.shape[-3]:
        message = f"{queries.shape[-3]} heads of queries cannot share {keys.shape[-3]} heads of keys evenly"
        raise ShapeError(message, operand=1)
    return TensorType((*queries.shape[:-1], values.shape[-1]), shared_dtype(inputs))


def _scale(queries: tuple[int, ...], attrs: Attrs) -> float:
    given = float(str(attrs["scale"]))
    return given or float(1.0 / np.sqrt(queries[-1]))


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    queries, keys, values = arrays
    shared = queries.shape[-3] // keys.shape[-3]
    keys, values = (np.repeat(each, shared, axis=-3) for each in (keys, values))
    scores = np.matmul(queries, keys.swapaxes(-1, -2)) * _scale(queries.shape, attrs)
    if attrs["causal"]:
        rows, cols = scores.shape[-2:]
        scores = np.where(np.tri(rows, cols, cols - rows, dtype=bool), scores, -np.inf)
    return np.asarray(np.matmul(softmax(scores, -1), values))


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """Two products with a softmax between them; heads that share keys are more rows of the same product."""
    queries, keys, values = inputs
    batch, (heads, rows, features) = queries.shape[:-3], queries.shape[-3:]
    groups, cols = keys.shape[-3:-1]
    folded = (*batch, groups, heads // groups * rows, features)
    name = queries.name if groups == heads else graph.add("reshape", queries.name, shape=folded)
    scores = graph.add("matmul", name, keys.name, transpose_b=True)
    scores = graph.add("scale_shift", scores, scale=_scale(queries.shape, attrs))
    if attrs["causal"]:
        scores = graph.add("reshape", scores, shape=(*batch, heads, rows, cols)) if groups != heads else scores
        scores = graph.add("add", scores, graph.constant("causal", (rows, cols), computed_format(queries.dtype)))
        scores = graph.add("reshape", scores, shape=(*folded[:-1], cols)) if groups != heads else scores
    weights = graph.add("softmax", scores)
    result = graph.add("matmul", weights, values.name)
    if groups != heads:
        graph.add("reshape", result, shape=(*queries.shape[:-1], values.shape[-1]))


OP = composite(
    "attention",
    "Scaled dot-product attention over heads, sequence and features; several heads of queries may share one of keys",
    ("queries", "keys", "values"),
    _infer,
    _reference,
    _expand,
    (
        Flag("causal", "A row sees no later column; the last rows of both belong together"),
        Real("scale", "Factor of the scores; by default (0) one over the root of the features", 0.0),
    ),
    flops_per_element=4,
)
