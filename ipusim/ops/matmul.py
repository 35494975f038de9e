"""Matrix product ``Y[..., m, n] = A[..., m, k] B[..., k, n]``, either operand transposed or sparse."""

from __future__ import annotations

from math import prod

import numpy as np

from ipusim.ir.tensor import Tensor
from ipusim.ops.gradient import Backward, Gradients
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


def _gradient(call: Backward) -> Gradients:
    """``dA = dY B'`` and ``dB = A' dY``, with the operands as the product saw them; of a sparse one its non-zeros."""
    return (_left(call) if call.wanted[0] else None), (_right(call) if call.wanted[1] else None)


def _left(call: Backward) -> str:
    (a, b), flipped = call.inputs, bool(call.attrs["transpose_b"])
    if call.attrs["transpose_a"]:
        return _product(call, a, b.name, call.upstream, flipped, False, (b, call.output))
    return _product(call, a, call.upstream, b.name, False, flipped, (call.output, b))


def _right(call: Backward) -> str:
    (a, b), flipped = call.inputs, bool(call.attrs["transpose_a"])
    if call.attrs["transpose_b"]:
        return _product(call, b, call.upstream, a.name, True, not flipped, (call.output, a))
    return _product(call, b, a.name, call.upstream, not flipped, True, (a, call.output))


def _product(
    call: Backward, operand: Tensor, left: str, right: str, turn_left: bool, turn_right: bool, of: tuple[Tensor, Tensor]
) -> str:
    """Add ``left right'``, each turned where asked: the gradient of `operand`, summed over a batch that it has not.

    `of` has the shapes of the two.
    """
    partials = call.attrs["partials"]
    if operand.sparsity is not None and not call.dense:
        like = operand.name
        kind = "matmul_at_nonzeros"
        return call.add(kind, left, right, like, transpose_a=turn_left, transpose_b=turn_right, partials=partials)
    batch = operand.shape[:-2]
    shapes = [each.shape for each in of]
    if not batch and turn_left and turn_right and len(shapes[0]) > 2 and len(shapes[1]) > 2:
        left, right = (
            call.add("reshape", name, shape=(-1, shape[-1])) for name, shape in zip((left, right), shapes, strict=True)
        )
    found = call.add("matmul", left, right, transpose_a=turn_left, transpose_b=not turn_right, partials=partials)
    rank = max(len(shape) for shape in shapes)
    if batch or rank == 2 or (turn_left and turn_right):
        return found
    return call.add("sum", found, axes=tuple(range(rank - 2)))


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
    gradient=_gradient,
)
