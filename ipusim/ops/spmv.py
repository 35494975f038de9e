"""Product of a sparse matrix and a vector, ``y[m] = A[m, k] x[k]``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.composite import composite
from ipusim.ops.spec import (
    PARTIALS_FORMATS,
    Attrs,
    Choice,
    Expansion,
    F64Array,
    Flag,
    ShapeError,
    TensorType,
    product_dtype,
    shown,
)


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    a, x = inputs
    for position, (tensor, rank, form) in enumerate(((a, 2, "a matrix [m, k]"), (x, 1, "a vector [k]"))):
        if len(tensor.shape) != rank:
            raise ShapeError(
                f"spmv needs {form}, but {shown(tensor)} has {len(tensor.shape)} dimensions", operand=position
            )
    m, k = a.shape[::-1] if attrs["transpose"] else a.shape
    if x.shape != (k,):
        transposed = " transposed" if attrs["transpose"] else ""
        raise ShapeError(f"{shown(a)}{transposed} has {k} columns, {shown(x)} has {x.shape[0]} elements", operand=1)
    return TensorType((m,), product_dtype(inputs, attrs))


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    a, x = arrays
    return np.asarray((a.T if attrs["transpose"] else a) @ x, dtype=np.float64)


def _expand(graph: Expansion, inputs: tuple[Tensor, ...], attrs: Attrs) -> None:
    """A product with a matrix of one column."""
    a, x = inputs
    column = graph.add("reshape", x.name, shape=(x.n_elements, 1))
    product = graph.add("matmul", a.name, column, transpose_a=attrs["transpose"], partials=attrs["partials"])
    graph.add("reshape", product, shape=(-1,))


OP = replace(
    composite(
        "spmv",
        "Product of a sparse matrix and a vector",
        ("a", "x"),
        _infer,
        _reference,
        _expand,
        (
            Flag("transpose", "Multiply with the transpose of the matrix"),
            Choice("partials", "Number format of partial sums", choices=PARTIALS_FORMATS, default="float32"),
        ),
    ),
    flops=lambda _inputs, _outputs, _attrs, nonzeros: 2 * nonzeros[0],
    sparse_inputs=(0,),
)
