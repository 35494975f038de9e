"""The gradient of a sparse matrix at its non-zeros, as the planners see it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ipusim.formats import number_format
from ipusim.frontends.patterns import tensor_blocks
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Op, Sparsity
from ipusim.sparse.blocks import Blocks, device_block_size, reblock


@dataclass(frozen=True, slots=True)
class GradientProblem:
    """``dW[m, k] = A[m, n] B[k, n]'`` at the non-zeros of a sparse tensor.

    Attributes
    ----------
    sparse, left, right, output : str
        Tensors of the graph: the one whose pattern it is, `A`, `B` and the gradient.
    m, k, n : int
        `n` counts the columns of all matrices of a batch.
    groups : int
        Matrices in which the columns lie, where they are not stored as rows.
    blocks : Blocks
        Pattern in blocks of the device.
    sparsity : Sparsity
        What the workload says of the tensor.
    dtype, partials_format : str
    left_flipped, right_flipped : bool
        Stored as ``[n, m]`` and ``[n, k]``.
    """

    sparse: str
    left: str
    right: str
    output: str
    m: int
    k: int
    n: int
    groups: int
    blocks: Blocks
    sparsity: Sparsity
    dtype: str
    partials_format: str
    left_flipped: bool
    right_flipped: bool

    @property
    def inputs_format(self) -> str:
        """Number format of the operands."""
        return self.dtype

    @property
    def resident_bytes(self) -> int:
        """Bytes of the gradient and the dense operands together."""
        return (self.blocks.n_values + (self.m + self.k) * self.n) * number_format(self.dtype).bytes


def gradient_problem(graph: Graph, op: Op) -> GradientProblem:
    """Return what an op ``matmul_at_nonzeros`` asks for."""
    left, right, like = (graph.tensors[name] for name in op.inputs)
    assert like.sparsity is not None
    m, k = like.shape
    blocks = tensor_blocks(like, graph.seed)
    blocks = reblock(blocks, device_block_size(blocks.block_size, like.sparsity.mode, left.dtype))
    return GradientProblem(
        like.name,
        left.name,
        right.name,
        op.outputs[0],
        m,
        k,
        prod(left.shape) // m,
        prod(left.shape[:-2]),
        blocks,
        like.sparsity,
        left.dtype,
        str(op.attrs["partials"]),
        bool(op.attrs["transpose_a"]),
        bool(op.attrs["transpose_b"]),
    )
