"""The graph of one training step: forward, backward and update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ipusim.frontends.backward import differentiate
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.parts import Parts
from ipusim.frontends.precision import insert_casts
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Sparsity, Tensor
from ipusim.training.optimisers.spec import Optimiser, Options, Update
from ipusim.training.ordering import with_early_updates

RATE = "#learning-rate"


@dataclass(frozen=True, slots=True)
class StepGraph:
    """One training step as a graph.

    Attributes
    ----------
    graph : Graph
        Its outputs are the loss, what else was asked for, and the new weights and states; ``updates`` says which input
        each of the latter replaces in the next step.
    seed : str
        Input that holds the scale of the loss.
    rates : tuple of str
        Inputs that hold the learning rate, one for each number format of the weights.
    states : tuple of str
        Inputs that are states of the optimiser; they begin as zeros.
    """

    graph: Graph
    seed: str
    rates: tuple[str, ...]
    states: tuple[str, ...]


def build_step(
    forward: Graph, loss: str, weights: Sequence[str], optimiser: Optimiser, options: Options, loss_scale: float = 1.0
) -> StepGraph:
    """Return the graph of a training step.

    Parameters
    ----------
    forward : Graph
        Composite ops unexpanded; its outputs stay outputs.
    loss : str
        A tensor with one element.
    weights : sequence of str
        Graph inputs that are trained; sparse ones at their non-zeros.
    optimiser, options
        The rule of the update.
    loss_scale : float
        What gradients are divided by before the update.

    Raises
    ------
    NotDifferentiableError
        An op between the loss and a weight has no gradient.
    """
    found = differentiate(forward, loss, weights)
    tensors = dict(found.graph.tensors)
    ops = list(found.graph.ops)
    updates: dict[str, str] = {}
    beside: dict[str, str] = {}
    rates: dict[str, None] = {}
    for weight in weights:
        tensor = tensors[weight]
        parts = Parts(f"update.{weight}", f"{weight}#update", tensors)
        rate = f"{RATE}-{tensor.dtype}"
        rates[rate] = None
        tensors.setdefault(rate, Tensor(rate, (1,), tensor.dtype, Init("ones")))
        roles = {role: f"{weight}#{role}" for role in optimiser.states(options)}
        for name in roles.values():
            tensors[name] = Tensor(name, tensor.shape, tensor.dtype, Init("zeros"), state_sparsity(tensor))
            beside[name] = weight
        gradient = found.gradients[weight]
        if loss_scale != 1.0:
            gradient = parts.add("scale_shift", gradient, scale=1.0 / loss_scale)
        changed, new_states = optimiser.update(Update(parts, weight, gradient, roles, rate, options))
        updates[weight] = changed
        updates |= {roles[role]: name for role, name in new_states.items()}
        ops += parts.ops
    outputs = tuple(dict.fromkeys((*forward.outputs, loss, *updates.values())))
    graph = replace(found.graph, tensors=tensors, ops=tuple(ops), outputs=outputs, updates=updates, beside=beside)
    return StepGraph(with_early_updates(insert_casts(expand_graph(graph))), found.seed, tuple(rates), tuple(beside))


def build_dense_gradients(forward: Graph, loss: str, weights: Sequence[str]) -> tuple[Graph, Mapping[str, str], str]:
    """Return the graph that finds the gradients of weights at all their elements, and the tensors that hold them.

    RigL needs them to see which connections to grow. The third value is the input with the scale of the loss.
    """
    found = differentiate(forward, loss, weights, dense=True)
    outputs = tuple(dict.fromkeys((loss, *found.gradients.values())))
    return insert_casts(expand_graph(replace(found.graph, outputs=outputs))), found.gradients, found.seed


def state_sparsity(weight: Tensor) -> Sparsity | None:
    """Return the sparsity of a state of the optimiser: the non-zeros of its weight."""
    if weight.sparsity is None:
        return None
    return replace(weight.sparsity, pattern_of=weight.name, pattern_init=weight.init, pattern_dtype=weight.dtype)
