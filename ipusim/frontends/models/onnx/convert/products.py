"""Operators of ONNX that multiply matrices or slide kernels."""

from __future__ import annotations

from math import prod

from ipusim.frontends.models.onnx.convert.conversion import Conversion, Table
from ipusim.frontends.models.onnx.convert.windows import window_attributes
from ipusim.frontends.models.onnx.problems import NodeError


def _matmul(node: Conversion) -> None:
    node.give_shaped(product(node, node.operand(0), node.operand(1)))


def product(node: Conversion, a: str, b: str) -> str:
    """Add a product of matrices whose leading dimensions broadcast; a vector is a row, or a column on the right.

    The result has the leading dimensions, or one dimension of their product; its caller gives it the right shape.
    """
    if len(node.shape(a)) == 1:
        a = node.shaped(a, (1, *node.shape(a)))
    if len(node.shape(b)) == 1:
        b = node.shaped(b, (*node.shape(b), 1))
    rank = max(len(node.shape(a)), len(node.shape(b)))
    batches = [(1,) * (rank - len(node.shape(each))) + node.shape(each)[:-2] for each in (a, b)]
    if batches[0] == batches[1] or prod(batches[0]) == 1 or prod(batches[1]) == 1:
        a, b = (_stacked(node, each, batch) for each, batch in zip((a, b), batches, strict=True))
        return node.add("matmul", a, b)
    common = tuple(max(pair) for pair in zip(*batches, strict=True))
    a, b = (
        node.broadcast(node.shaped(each, (*batch, *node.shape(each)[-2:])), (*common, *node.shape(each)[-2:]))
        for each, batch in zip((a, b), batches, strict=True)
    )
    return node.add("matmul", a, b)


def _stacked(node: Conversion, tensor: str, batch: tuple[int, ...]) -> str:
    """Return a tensor as a plain matrix where its leading dimensions are all 1, else with those of the product."""
    matrix = node.shape(tensor)[-2:]
    return node.shaped(tensor, matrix if prod(batch) == 1 else (*batch, *matrix))


def _gemm(node: Conversion) -> None:
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    transposed = {f"transpose_{letter.lower()}": True for letter in "AB" if node.whole(f"trans{letter}", 0)}
    result = node.add("matmul", node.operand(0), node.operand(1), **transposed)
    if alpha != 1.0:
        result = node.add("scale_shift", result, scale=alpha)
    if node.has(2) and beta != 0.0:
        bias = node.operand(2)
        result = node.add("add", result, node.add("scale_shift", bias, scale=beta) if beta != 1.0 else bias)
    node.give_shaped(result)


def _conv(node: Conversion) -> None:
    x, w = node.operand(0), node.operand(1)
    rank = len(node.shape(x)) - 2
    if rank not in (1, 2):
        raise NodeError(f"has {rank} spatial dimensions; there are convolutions over 1 and 2")
    kernel = list(node.shape(w)[2:])
    if node.listed("kernel_shape", kernel) != kernel:
        raise NodeError(f"its kernel_shape differs from that of its weights, {kernel}")
    attributes = window_attributes(node, node.shape(x)[2:], kernel)
    groups = node.whole("group", 1)
    result = node.add(f"conv{rank}d", x, w, **attributes, **({"groups": groups} if groups != 1 else {}))
    if node.has(2):
        bias = node.shaped(node.operand(2), (node.shape(w)[0], *(1,) * rank))
        result = node.add("add", result, bias)
    node.give_shaped(result)


TABLE: Table = {"MatMul": _matmul, "Gemm": _gemm, "Conv": _conv}
"""Converters of products and convolutions."""
