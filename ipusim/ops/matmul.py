"""Matrix product ``Y[..., m, n] = A[..., m, k] B[..., k, n]``, either operand transposed or sparse."""

from __future__ import annotations

from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import (
    PARTIALS_FORMATS,
    Attrs,
    Choice,
    F64Array,
    Flag,
    OpSpec,
    ShapeError,
    TensorType,
    product_dtype,
    shown,
)


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    a, b = inputs
    for position, tensor in enumerate(inputs):
        if len(tensor.shape) < 2:
            raise ShapeError(
                f"matmul needs matrices, but {shown(tensor)} has {len(tensor.shape)} dimension",
                operand=position,
                hint="write a vector as a matrix with one row or one column",
            )
    if a.sparsity and b.sparsity:
        raise ShapeError(f"{a.name} and {b.name} are both sparse; one operand must be dense", operand=1)
    m, k, k_b, n = matrix_extents(a.shape, b.shape, attrs)
    if k != k_b:
        raise ShapeError(
            f"inner dimensions differ: {_named(a, attrs, 'a')} has {k} columns, {_named(b, attrs, 'b')} has {k_b} rows",
            operand=1,
            hint=_transpose_hint(a.shape, b.shape, attrs),
        )
    batch_a, batch_b = a.shape[:-2], b.shape[:-2]
    if batch_a and batch_b and batch_a != batch_b:
        raise ShapeError(
            f"batch dimensions differ: {shown(a)} has {list(batch_a)}, {shown(b)} has {list(batch_b)}",
            operand=1,
            hint="they must be equal, or one operand must be a plain matrix",
        )
    return TensorType((*(batch_a or batch_b), m, n), product_dtype(inputs, attrs))


def matrix_extents(a: tuple[int, ...], b: tuple[int, ...], attrs: Attrs) -> tuple[int, int, int, int]:
    """Return ``m, k`` of the first operand and ``k, n`` of the second, after the transpositions asked for."""
    m, k = a[-2:][::-1] if attrs["transpose_a"] else a[-2:]
    k_b, n = b[-2:][::-1] if attrs["transpose_b"] else b[-2:]
    return m, k, k_b, n


def _named(tensor: Tensor, attrs: Attrs, which: str) -> str:
    return f"{shown(tensor)} transposed" if attrs[f"transpose_{which}"] else shown(tensor)


def _transpose_hint(a: tuple[int, ...], b: tuple[int, ...], attrs: Attrs) -> str:
    """Return which single flag, turned over, would make the product possible; empty if none does."""
    for flag in ("transpose_b", "transpose_a"):
        turned = not attrs[flag]
        _, k, k_b, _ = matrix_extents(a, b, {**attrs, flag: turned})
        if k == k_b:
            return f"{flag}: {str(turned).lower()} would fit"
    return ""


def _flops(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], attrs: Attrs, nonzeros: tuple[int, ...]) -> int:
    """2 per multiply-add: ``2 batch m k n``, with the non-zeros in the place of the sparse operand's elements."""
    a, b = inputs
    m, _, _, n = matrix_extents(a.shape, b.shape, attrs)
    batch = prod(outputs[0].shape[:-2])
    if b.sparsity:
        return 2 * nonzeros[1] * (batch // prod(b.shape[:-2])) * m
    return 2 * nonzeros[0] * (batch // prod(a.shape[:-2])) * n


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    a, b = arrays
    left = a.swapaxes(-1, -2) if attrs["transpose_a"] else a
    right = b.swapaxes(-1, -2) if attrs["transpose_b"] else b
    product: F64Array = np.matmul(left, right)
    return product


OP = OpSpec(
    name="matmul",
    summary="Matrix product of the last two dimensions; leading dimensions are a batch",
    inputs=("a", "b"),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(
        Flag("transpose_a", "Swap the last two dimensions of the first operand"),
        Flag("transpose_b", "Swap the last two dimensions of the second operand"),
        Choice("partials", "Number format of partial sums", choices=PARTIALS_FORMATS, default="float32"),
    ),
    sparse_inputs=(0, 1),
)
