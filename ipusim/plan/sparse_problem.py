"""A matrix product with one sparse operand, turned so that the sparse operand is on the left."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ipusim.formats import number_format
from ipusim.frontends.patterns import tensor_blocks
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Sparsity
from ipusim.sparse.blocks import Blocks, device_block_size, reblock, transpose_blocks

IntArray = NDArray[np.int64]

SPARSE_FORMATS = ("float16", "float32")
"""Number formats that sparse vertices multiply."""


@dataclass(frozen=True, slots=True)
class SparseProblem:
    """``Y[m, n] = W[m, k] X[k, n]`` with sparse `W`; `Y` and `X` may be stored transposed.

    Attributes
    ----------
    sparse, dense, output : str
        Tensors of the graph.
    m, k, n : int
    blocks : Blocks
        Pattern of `W` in the block size of the device.
    sparsity : Sparsity
        What the workload says of the sparse tensor.
    dtype, partials_format : str
    weight_transposed : bool
        `W` is the transpose of the sparse tensor as it is stored.
    dense_transposed : bool
        `X` is the transpose of the dense tensor as it is stored (as ``[n, k]``, leading dimensions merged into n).
    output_transposed : bool
        The result is stored as ``[n, m]``: the sparse operand is the right one in the graph.
    """

    sparse: str
    dense: str
    output: str
    m: int
    k: int
    n: int
    blocks: Blocks
    sparsity: Sparsity
    dtype: str
    partials_format: str
    weight_transposed: bool
    dense_transposed: bool
    output_transposed: bool

    @property
    def inputs_format(self) -> str:
        """Number format of the operands."""
        return self.dtype

    @property
    def resident_bytes(self) -> int:
        """Bytes of the stored values, the dense operand and the result together."""
        return (self.blocks.n_values + (self.m + self.k) * self.n) * number_format(self.dtype).bytes


@dataclass(frozen=True, slots=True)
class SparseSums:
    """How a program forms the sums of a sparse matmul; what an error bound needs to know.

    Attributes
    ----------
    order : int64 array [k]
        The depth in the order in which its products are added up.
    bounds : tuple of int
        Edges of the intervals of `order` that are summed apart, 0 and k included.
    most_products, most_roundings : int
        Most products of an element of the result in such an interval, and most roundings of its sums to the format of
        partials.
    most_sources : int
        Most partial sums of an element.
    ordered : bool
        Within an interval, products are added up in `order`; else in any order.
    """

    order: IntArray
    bounds: tuple[int, ...]
    most_products: int
    most_roundings: int
    most_sources: int
    ordered: bool = True


def is_sparse_matmul(graph: Graph, op: Op) -> bool:
    """Return whether an op is a matrix product with a sparse operand."""
    return op.kind == "matmul" and any(graph.tensors[name].sparsity is not None for name in op.inputs)


def sparse_problem(graph: Graph, op: Op) -> SparseProblem:
    """Return what a matmul op with one sparse operand asks for.

    A sparse right operand is handled as ``Y' = B' A'``. A batch of dense operands is merged into the free dimension
    where its layout allows (the shape rule of matmul has checked that the sparse tensor is a plain matrix).
    """
    left, right = (graph.tensors[name] for name in op.inputs)
    flags = (bool(op.attrs.get("transpose_a", False)), bool(op.attrs.get("transpose_b", False)))
    on_left = left.sparsity is not None
    sparse, dense = (left, right) if on_left else (right, left)
    sparse_flag, dense_flag = flags if on_left else flags[::-1]
    weight_transposed = sparse_flag == on_left
    assert sparse.sparsity is not None
    m, k = sparse.shape[::-1] if weight_transposed else sparse.shape
    dense_transposed = dense_flag == on_left
    n = prod(dense.shape) // k
    blocks = tensor_blocks(sparse, graph.seed)
    if weight_transposed:
        blocks = transpose_blocks(blocks)
    size = device_block_size(blocks.block_size, sparse.sparsity.mode, dense.dtype)
    if size != blocks.block_size:
        blocks = reblock(blocks, size)
    return SparseProblem(
        sparse.name,
        dense.name,
        op.outputs[0],
        m,
        k,
        n,
        blocks,
        sparse.sparsity,
        dense.dtype,
        str(op.attrs["partials"]),
        weight_transposed,
        dense_transposed,
        not on_left,
    )
