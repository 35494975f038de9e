"""Gradients: what an operator adds to the graph to send the gradient of its result back to its operands.

A gradient consists of operators of the registry, so that the backward pass is planned, timed, executed and checked as
any other graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import Attrs, Expansion

Gradients = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Backward:
    """One operator of the forward pass, seen from behind.

    Attributes
    ----------
    graph : Expansion
        Where the ops of the backward pass are added.
    inputs : tuple of Tensor
        Operands of the forward op.
    output : Tensor
        Its result.
    upstream : str
        Name of the gradient of the loss with respect to the result; of the shape and format of the result.
    attrs : mapping of str to value
        Attributes of the forward op.
    wanted : tuple of bool
        Of each operand: whether its gradient is asked for.
    dense : bool
        The gradient of a sparse operand is wanted at all its elements, not at its non-zeros alone.
    saved : mapping of str to str
        Tensors of the forward pass that the expansion of a composite op has kept, by the role it gave them.
    """

    graph: Expansion
    inputs: tuple[Tensor, ...]
    output: Tensor
    upstream: str
    attrs: Attrs
    wanted: tuple[bool, ...]
    dense: bool = False
    saved: Mapping[str, str] = field(default_factory=dict)

    def add(self, kind: str, *inputs: str, **attrs: object) -> str:
        """Add an op and return the name of its result."""
        return self.graph.add(kind, *inputs, **attrs)


Gradient = Callable[[Backward], Gradients]
"""Returns the name of the gradient of each operand, of the operand's shape; None for one that has none."""


def positive(call: Backward, tensor: Tensor) -> str:
    """Return where a tensor is above zero: ones there, zeros elsewhere."""
    return call.add("greater", tensor.name, call.graph.constant("zeros", (1,), tensor.dtype))


def inside_unit(call: Backward, name: str) -> str:
    """Return where a tensor in the format of the result is between 0 and 1, both excluded: ones there."""
    zero, one = (call.graph.constant(kind, (1,), call.output.dtype) for kind in ("zeros", "ones"))
    return call.add("mul", call.add("greater", name, zero), call.add("less", name, one))


def summed_to(call: Backward, gradient: str, shape: tuple[int, ...], target: tuple[int, ...]) -> str:
    """Return the gradient of an operand that was broadcast from `target` to `shape`: the sum over its copies."""
    if shape == target:
        return gradient
    padded = (1,) * (len(shape) - len(target)) + target
    axes = tuple(axis for axis, (have, own) in enumerate(zip(shape, padded, strict=True)) if have != own)
    total = call.add("sum", gradient, axes=axes, keepdims=True) if axes else gradient
    return total if padded == target else call.add("reshape", total, shape=target)


def elementwise_gradient(rule: Callable[[Backward], Gradients]) -> Gradient:
    """Return the gradient of an elementwise op: what `rule` gives at full size, summed over broadcast axes."""

    def gradient(call: Backward) -> Gradients:
        found = rule(call)
        return tuple(
            None if name is None or not wanted else summed_to(call, name, call.output.shape, tensor.shape)
            for name, tensor, wanted in zip(found, call.inputs, call.wanted, strict=True)
        )

    return gradient
