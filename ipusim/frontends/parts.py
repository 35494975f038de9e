"""Ops that are added to a graph after the user's own: parts of composites, backward passes, updates."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ipusim.ir.tensor import Init, Op, Sparsity, Tensor
from ipusim.ops.registry import find_op
from ipusim.ops.spec import OpSpec, settled


class Parts:
    """Collects ops; an :class:`~ipusim.ops.spec.Expansion`.

    Parameters
    ----------
    op, result : str
        What the names of the ops, and those of their results, begin with.
    tensors : dict of str to Tensor
        Those of the graph; results and constants are added to it.
    """

    def __init__(self, op: str, result: str, tensors: dict[str, Tensor]) -> None:
        self._op = op
        self._result = result
        self._tensors = tensors
        self._counts: dict[str, int] = {}
        self.ops: list[Op] = []

    def as_matrix(self, weights: str) -> str:
        """Make a matrix of the sparse weights of a convolution, for all that read them, and return its name."""
        self._tensors[weights] = kernel_matrix(self._tensors[weights])
        return weights

    def constant(self, kind: str, shape: tuple[int, ...], dtype: str) -> str:
        """Add an input and return its name; ops of the graph that need the same one share it."""
        name = f"#{kind}-{'x'.join(map(str, shape))}-{dtype}"
        self._tensors.setdefault(name, Tensor(name, shape, dtype, Init(kind)))
        return name

    def add(self, kind: str, *inputs: str, **attrs: object) -> str:
        """Add an op and return the name of its result.

        Raises
        ------
        ShapeError
            The operands do not go together.
        """
        number = self._counts[kind] = self._counts.get(kind, 0) + 1
        suffix = kind if number == 1 else f"{kind}{number}"
        spec = find_op(kind)
        known = {each.name: each.default for each in spec.attributes} | attrs
        operands = tuple(self._tensors[name] for name in inputs)
        known = settled(known, operands, attrs)
        shape, dtype = spec.infer(operands, known)
        name = f"{self._result}#{suffix}"
        self._tensors[name] = Tensor(name, shape, dtype, sparsity=result_sparsity(spec, operands))
        self.ops.append(Op(f"{self._op}.{suffix}", kind, inputs, (name,), known))
        return name


def kernel_matrix(weights: Tensor) -> Tensor:
    """Return sparse weights ``[out, in, kernel]`` as the matrix ``[out, kernel elements * in]``."""
    assert weights.sparsity is not None
    if weights.sparsity.kernel:
        return weights
    out, channels, *kernel = weights.shape
    sparsity = replace(weights.sparsity, kernel=tuple(kernel))
    return replace(weights, shape=(out, prod(kernel) * channels), sparsity=sparsity)


def result_sparsity(spec: OpSpec, operands: tuple[Tensor, ...]) -> Sparsity | None:
    """Return the sparsity of the result of an op: that of the operand whose non-zeros it has, or None."""
    elementwise = spec.family == "map" or spec.name == "cast"
    like = next((each for each in operands if each.sparsity), None) if elementwise else None
    if spec.sparse_result is not None:
        like = operands[spec.sparse_result]
    if like is None:
        return None
    assert like.sparsity is not None
    if like.sparsity.pattern_of:
        return like.sparsity
    return replace(like.sparsity, pattern_of=like.name, pattern_init=like.init, pattern_dtype=like.dtype)


def same_pattern(one: Tensor, other: Tensor) -> bool:
    """Return whether two sparse tensors have the non-zeros of the same tensor."""
    roots = [each.sparsity and (each.sparsity.pattern_of or each.name) for each in (one, other)]
    return roots[0] is not None and roots[0] == roots[1]
