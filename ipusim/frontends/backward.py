"""The backward pass: from a graph with a loss to the same graph with the gradients of chosen tensors.

Reverse-mode differentiation over the operators of the registry. Each forward op is asked for its gradient
(:mod:`ipusim.ops.gradient`), the last first; a tensor that several ops read has the sum of what they return.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ipusim.errors import IpusimError
from ipusim.frontends.expand import expand_once, is_composite
from ipusim.frontends.parts import Parts
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Op, Tensor
from ipusim.ops.gradient import Backward
from ipusim.ops.registry import find_op
from ipusim.ops.spec import ShapeError, shown


class NotDifferentiableError(IpusimError):
    """A gradient was asked for that does not exist."""


@dataclass(frozen=True, slots=True)
class Differentiated:
    """A graph with its backward pass.

    Attributes
    ----------
    graph : Graph
        Forward ops, then those of the backward pass. Composite ops are replaced by their parts.
    gradients : mapping of str to str
        Of each tensor that was asked for: the tensor that holds its gradient.
    seed : str
        The input that the backward pass starts with: the gradient of the loss with respect to itself, 1, or the scale
        of the loss.
    """

    graph: Graph
    gradients: Mapping[str, str]
    seed: str


def differentiate(graph: Graph, loss: str, wanted: Collection[str], dense: bool = False) -> Differentiated:
    """Return `graph` with the gradients of `loss` with respect to the tensors `wanted`.

    Parameters
    ----------
    graph : Graph
    loss : str
        A tensor with one element.
    wanted : collection of str
        Graph inputs.
    dense : bool
        Gradients of sparse tensors have all elements, not the non-zeros alone.

    Raises
    ------
    NotDifferentiableError
        The loss has more than one element, an op on the way has no gradient, or the loss does not depend on a tensor.
    """
    if graph.tensors[loss].n_elements != 1:
        raise NotDifferentiableError(f"the loss {shown(graph.tensors[loss])} has more than one element")
    tensors = dict(graph.tensors)
    units = [unit for op in graph.ops for unit in _units(op, tensors)]
    needed = _depending(units, wanted)
    seed = f"{loss}#seed"
    tensors[seed] = Tensor(seed, tensors[loss].shape, tensors[loss].dtype, Init("ones"))
    found: dict[str, list[str]] = {loss: [seed]}
    backward: list[Op] = []
    for unit in reversed(units):
        op = unit.op
        upstream = _total(op.outputs[0], found, tensors, backward)
        if upstream is None or op.outputs[0] not in needed:
            continue
        parts = Parts(f"backward.{op.name}", f"{op.outputs[0]}#backward", tensors)
        operands = tuple(tensors[name] for name in op.inputs)
        asked = tuple(name in needed for name in op.inputs)
        rule = find_op(op.kind).gradient
        if rule is None:
            raise NotDifferentiableError(f"{op.kind} has no gradient, and {op.name!r} is between the loss and a weight")
        call = Backward(parts, operands, tensors[op.outputs[0]], upstream, op.attrs, asked, dense, unit.saved)
        try:
            returned = rule(call)
        except ShapeError as error:
            raise NotDifferentiableError(f"{op.name!r}: {error}") from None
        for name, gradient, is_asked in zip(op.inputs, returned, asked, strict=True):
            if gradient is not None and is_asked:
                found.setdefault(name, []).append(gradient)
        backward += parts.ops
    gradients = {}
    for name in wanted:
        total = _total(name, found, tensors, backward)
        if total is None:
            raise NotDifferentiableError(f"{loss!r} does not depend on {name!r}")
        gradients[name] = total
    forward = tuple(part for unit in units for part in unit.parts)
    ops = (*forward, *_live(backward, set(gradients.values())))
    used = {name for op in ops for name in (*op.inputs, *op.outputs)}
    kept = {name: tensor for name, tensor in tensors.items() if name in used}
    return Differentiated(replace(graph, tensors=kept, ops=ops), gradients, seed)


@dataclass(frozen=True, slots=True)
class _Unit:
    """An op that is differentiated as a whole.

    Attributes
    ----------
    op : Op
        With a gradient of its own, or with none and no parts.
    parts : tuple of Op
        What the forward pass does: the op, or what a composite consists of, so that its gradient can read inside.
    saved : mapping of str to str
    """

    op: Op
    parts: tuple[Op, ...]
    saved: Mapping[str, str]


def _units(op: Op, tensors: dict[str, Tensor]) -> list[_Unit]:
    spec = find_op(op.kind)
    if not is_composite(op, tensors):
        return [_Unit(op, (op,), {})]
    parts, saved = expand_once(op, tensors)
    if spec.gradient is not None and spec.expands is None:
        return [_Unit(op, tuple(parts), saved)]
    return [unit for part in parts for unit in _units(part, tensors)]


def _depending(units: list[_Unit], wanted: Collection[str]) -> set[str]:
    """Return the tensors that depend on any of `wanted`, themselves included."""
    found = set(wanted)
    for unit in units:
        if found.intersection(unit.op.inputs):
            found.update(unit.op.outputs)
    return found


def _total(name: str, found: dict[str, list[str]], tensors: dict[str, Tensor], ops: list[Op]) -> str | None:
    """Return the gradient of a tensor, adding up what its readers returned; None if nothing came back."""
    terms = found.get(name, [])
    if not terms:
        return None
    parts = Parts(f"backward.{name}", f"{name}#gradient", tensors)
    total = terms[0]
    for term in terms[1:]:
        total = parts.add("add", total, term)
    ops += parts.ops
    found[name] = [total]
    return total


def _live(ops: list[Op], wanted: set[str]) -> list[Op]:
    """Return the ops of a backward pass that a wanted gradient depends on, in their order."""
    kept = []
    for op in reversed(ops):
        if wanted.intersection(op.outputs):
            kept.append(op)
            wanted.update(op.inputs)
    return kept[::-1]
