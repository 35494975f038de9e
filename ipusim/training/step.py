"""The graph of one training step: forward, backward and update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ipusim.formats import number_format
from ipusim.frontends.backward import Differentiated, differentiate
from ipusim.frontends.expand import expand_graph
from ipusim.frontends.parts import Parts
from ipusim.frontends.precision import insert_casts
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Op, Sparsity, Tensor
from ipusim.training.optimisers.spec import Optimiser, Options, Update
from ipusim.training.ordering import UPDATE, with_early_updates

RATE = "#learning-rate"
UNSCALE = "#unscale"
MASTER, ACCUMULATED, MASK = "master", "accumulated", "mask"
"""What is kept beside a weight apart from the optimiser's states; the part of a tensor's name behind ``#``."""

MASTER_FORMAT = "float32"


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
        Inputs that are states: of the optimiser, accumulated gradients, and the weights in float32. They begin as
        zeros, but for the last.
    """

    graph: Graph
    seed: str
    rates: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How gradients become an update.

    Attributes
    ----------
    loss_scale : float or None
        What gradients are divided by before the update. None where it changes: then the input :data:`UNSCALE` holds
        the factor that takes back the scale, and the division by `accumulate`.
    accumulate : int
        Passes backward whose gradients are added up for one update, of their mean.
    masters : bool
        Weights in formats narrower than float32 have a copy in float32, which is updated, and so have their states.
    masked : tuple of str
        Weights that keep zeros where an input, the mask, has them.
    """

    loss_scale: float | None = 1.0
    accumulate: int = 1
    masters: bool = False
    masked: tuple[str, ...] = ()


PLAIN = StepOptions()


def build_step(
    forward: Graph,
    loss: str,
    weights: Sequence[str],
    optimiser: Optimiser,
    options: Options,
    how: StepOptions = PLAIN,
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
    how : StepOptions
        What becomes of the gradients before; what else is kept of the weights.

    Raises
    ------
    NotDifferentiableError
        An op between the loss and a weight has no gradient.
    """
    step = _Builder(differentiate(forward, loss, weights), how)
    for weight in weights:
        step.update(weight, optimiser, options)
    return step.finish((*forward.outputs, loss))


def build_accumulation(forward: Graph, loss: str, weights: Sequence[str], how: StepOptions) -> StepGraph:
    """Return the graph of a pass forward and backward that adds its gradients to those of others; see `build_step`."""
    step = _Builder(differentiate(forward, loss, weights), how)
    for weight in weights:
        parts = step.parts(weight)
        step.replace(step.state(weight, ACCUMULATED), step.summed(parts, weight))
        step.ops += parts.ops
    return step.finish((*forward.outputs, loss))


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


class _Builder:
    """Adds to a pass backward what becomes of its gradients."""

    def __init__(self, found: Differentiated, how: StepOptions) -> None:
        self.found, self.how = found, how
        self.tensors = dict(found.graph.tensors)
        self.ops: list[Op] = list(found.graph.ops)
        self.updates: dict[str, str] = {}
        self.beside: dict[str, str] = {}
        self.rates: dict[str, None] = {}

    def parts(self, weight: str) -> Parts:
        return Parts(f"{UPDATE}{weight}", f"{weight}#update", self.tensors)

    def dtype(self, weight: str) -> str:
        """Return the number format in which a weight is updated."""
        dtype = self.tensors[weight].dtype
        narrow = number_format(dtype).bytes < number_format(MASTER_FORMAT).bytes
        return MASTER_FORMAT if self.how.masters and narrow else dtype

    def state(self, weight: str, role: str) -> str:
        """Declare what is kept beside a weight and return its name."""
        tensor, name = self.tensors[weight], f"{weight}#{role}"
        self.tensors[name] = Tensor(name, tensor.shape, self.dtype(weight), Init("zeros"), state_sparsity(tensor))
        self.beside[name] = weight
        return name

    def replace(self, name: str, changed: str) -> None:
        self.updates[name] = changed

    def summed(self, parts: Parts, weight: str) -> str:
        """Return the gradient in the format of the update, with what has been accumulated before."""
        gradient, dtype = self.found.gradients[weight], self.dtype(weight)
        if self.tensors[gradient].dtype != dtype:
            gradient = parts.add("cast", gradient, to=dtype)
        return parts.add("add", self.state(weight, ACCUMULATED), gradient) if self.how.accumulate > 1 else gradient

    def update(self, weight: str, optimiser: Optimiser, options: Options) -> None:
        """Add the update of a weight and of its states."""
        parts, dtype = self.parts(weight), self.dtype(weight)
        rate = self._scalar(f"{RATE}-{dtype}", dtype)
        self.rates[rate] = None
        gradient = self._mean(parts, self.summed(parts, weight), dtype)
        roles = {role: self.state(weight, role) for role in optimiser.states(options)}
        own = dtype == self.tensors[weight].dtype
        kept = weight if own else self.state(weight, MASTER)
        changed, new_states = optimiser.update(Update(parts, kept, gradient, roles, rate, options))
        if weight in self.how.masked:
            mask = self.state(weight, MASK)
            changed = parts.add("mul", changed, mask)
        self.replace(kept, changed)
        if not own:
            self.replace(weight, parts.add("cast", changed, to=self.tensors[weight].dtype))
        self.updates |= {roles[role]: name for role, name in new_states.items()}
        if self.how.accumulate > 1:
            accumulated = self.state(weight, ACCUMULATED)
            self.replace(accumulated, parts.add("scale_shift", accumulated, scale=0.0))
        self.ops += parts.ops

    def finish(self, outputs: Sequence[str]) -> StepGraph:
        every = tuple(dict.fromkeys((*outputs, *self.updates.values())))
        graph = replace(
            self.found.graph,
            tensors=self.tensors,
            ops=tuple(self.ops),
            outputs=every,
            updates=self.updates,
            beside=self.beside,
        )
        states = tuple(name for name in self.beside if not name.endswith(f"#{MASK}"))
        ordered = with_early_updates(insert_casts(expand_graph(graph)))
        return StepGraph(ordered, self.found.seed, tuple(self.rates), states)

    def _mean(self, parts: Parts, gradient: str, dtype: str) -> str:
        """Return a gradient without the scale of the loss, as a mean over what was accumulated."""
        if self.how.loss_scale is None:
            return parts.add("mul", gradient, self._scalar(f"{UNSCALE}-{dtype}", dtype))
        factor = 1.0 / (self.how.loss_scale * self.how.accumulate)
        return gradient if factor == 1.0 else parts.add("scale_shift", gradient, scale=factor)

    def _scalar(self, name: str, dtype: str) -> str:
        self.tensors.setdefault(name, Tensor(name, (1,), dtype, Init("ones")))
        return name
