"""Gradient of a sparse matrix at its non-zeros: ``dW[m, k] = A[..., m, n] B[..., k, n]'`` where `like` has an element.

Of ``Y = W X`` the gradient of `W` is ``dY X'``; a sparse `W` needs it at its non-zeros only. Leading dimensions are a
batch, over which the gradient is summed.
"""

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
    common_dtype,
    is_quarter,
    shown,
)


def _infer(inputs: tuple[Tensor, ...], attrs: Attrs) -> TensorType:
    a, b, like = inputs
    for position, tensor in enumerate(inputs):
        if len(tensor.shape) < 2 or (position == 2 and len(tensor.shape) > 2):
            raise ShapeError(
                f"matmul_at_nonzeros needs matrices, but {shown(tensor)} has {len(tensor.shape)} dimensions",
                operand=position,
            )
    dtype = common_dtype(inputs)
    if is_quarter(dtype):
        raise ShapeError(f"no vertex multiplies at non-zeros in {dtype}", operand=0, hint="insert a cast to float16")
    m, n, k, n_b = matrix_extents(a.shape, b.shape, attrs)
    if n != n_b or a.shape[:-2] != b.shape[:-2]:
        raise ShapeError(
            f"{shown(a)} and {shown(b)} are not summed over the same columns",
            operand=1,
            hint="their last dimensions must be equal, or where transpose_a or transpose_b say so the ones before",
        )
    if like.shape != (m, k):
        raise ShapeError(f"the product is [{m}, {k}], but {shown(like)} is to say where it is wanted", operand=2)
    if attrs["partials"] == "float16" and dtype != "float16":
        raise ShapeError(f"partials float16 are narrower than the {dtype} operands", attribute="partials")
    return TensorType((m, k), dtype)


def matrix_extents(a: tuple[int, ...], b: tuple[int, ...], attrs: Attrs) -> tuple[int, int, int, int]:
    """Return ``m, n`` of the first operand and ``k, n`` of the second, after the transpositions asked for."""
    m, n = a[-2:][::-1] if attrs["transpose_a"] else a[-2:]
    k, n_b = b[-2:][::-1] if attrs["transpose_b"] else b[-2:]
    return m, n, k, n_b


def _flops(inputs: tuple[Tensor, ...], _outputs: tuple[Tensor, ...], attrs: Attrs, nonzeros: tuple[int, ...]) -> int:
    """2 per multiply-add: ``2 batch n`` for each non-zero."""
    a, b, _ = inputs
    return 2 * nonzeros[2] * prod(a.shape[:-2]) * matrix_extents(a.shape, b.shape, attrs)[1]


def _reference(arrays: tuple[F64Array, ...], attrs: Attrs) -> F64Array:
    a, b, like = arrays
    left = a.swapaxes(-1, -2) if attrs["transpose_a"] else a
    right = b if attrs["transpose_b"] else b.swapaxes(-1, -2)
    product: F64Array = np.matmul(left, right).reshape(-1, *like.shape).sum(axis=0)
    return np.where(like != 0, product, 0.0)


OP = OpSpec(
    name="matmul_at_nonzeros",
    summary="Product of a and the transpose of b, summed over a batch, at the non-zeros of a sparse tensor",
    inputs=("a", "b", "like"),
    infer=_infer,
    flops=_flops,
    reference=_reference,
    attributes=(
        Flag("transpose_a", "Swap the last two dimensions of the first operand"),
        Flag("transpose_b", "Swap the last two dimensions of the second operand, which is then [n, k]"),
        Choice("partials", "Number format of partial sums", choices=PARTIALS_FORMATS, default="float32"),
    ),
    sparse_inputs=(2,),
    sparse_result=2,
)
