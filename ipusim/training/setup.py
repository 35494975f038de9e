"""What a training starts with: the graph, its weights, and the density of every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import frexp

import numpy as np

from ipusim.errors import BadInputError, Problem
from ipusim.formats import WHOLE_NUMBERS, number_format
from ipusim.formats.scale import AUTO
from ipusim.frontends.build import assemble_graph
from ipusim.frontends.model import Workload
from ipusim.frontends.parts import Parts
from ipusim.frontends.patterns import matrix_shape, matrix_values
from ipusim.frontends.training_entry import MethodName, TrainingEntry
from ipusim.frontends.values import tensor_values
from ipusim.ir.graph import Graph
from ipusim.ir.tensor import Init, Sparsity, Tensor
from ipusim.sparse.patterns.given import given_option
from ipusim.training.data import F32Array, random_scores
from ipusim.training.distribution import DistributionError, layer_densities
from ipusim.training.layers import weight_layers
from ipusim.training.step import StepOptions
from ipusim.training.topology import BoolArray, DropSchedule, PruneSchedule

Masks = Mapping[str, BoolArray]

LOSS = "loss"
"""What the name of a loss that is added begins with."""

_CHANGING = ("set", "rigl")


@dataclass(frozen=True, slots=True)
class Setup:
    """A training before its first step.

    Attributes
    ----------
    entry : TrainingEntry
    graph : Graph
        Forward ops up to the loss and the predictions; all weights dense, those of convolutions with all dimensions.
    weights : tuple of str
        Inputs that are trained.
    densities : mapping of str to float
        Of the weights that are sparse.
    method : str
    steps : int
    seed : int
    """

    entry: TrainingEntry
    graph: Graph
    weights: tuple[str, ...]
    densities: Mapping[str, float]
    method: MethodName
    steps: int
    seed: int

    @property
    def schedule(self) -> DropSchedule | None:
        """When connections change; None where they never do."""
        sparsity = self.entry.sparsity
        if self.method not in _CHANGING or not self.densities:
            return None
        return DropSchedule(sparsity.drop_fraction, sparsity.every, sparsity.begin or 0, self._end)

    @property
    def pruning(self) -> PruneSchedule | None:
        """When connections are removed; None where they never are."""
        sparsity = self.entry.sparsity
        if self.method != "prune" or not self.densities:
            return None
        begin = self.steps * 5 // 16 if sparsity.begin is None else sparsity.begin
        return PruneSchedule(min(begin, self._end), self._end, sparsity.every, self.steps)

    @property
    def _end(self) -> int:
        """The step after which connections stay."""
        end = self.entry.sparsity.end
        return end if end is not None else self.steps * 3 // 4

    @property
    def how(self) -> StepOptions:
        """What becomes of gradients before the update."""
        scale = self.entry.loss_scale
        return StepOptions(None if scale == AUTO else float(scale), self.entry.accumulate, self.entry.masters)

    @property
    def batch(self) -> int:
        """Images in a run of a program: a step has as many for each pass that it accumulates."""
        return self.graph.tensors[self.entry.inputs.images].shape[0]

    @property
    def n_classes(self) -> int:
        """Classes that the network tells apart."""
        return self.graph.tensors[self.entry.inputs.targets].shape[1]

    def with_masks(self, masks: Masks) -> Graph:
        """Return the forward graph with weights that are sparse where there are masks of their blocks."""
        options = self.entry.sparsity
        mode = "dynamic" if self.method in _CHANGING else "static"
        tensors = dict(self.graph.tensors)
        for name, mask in masks.items():
            if self.method == "prune" and mask.all():
                continue
            pattern = {"mask": given_option(mask)}
            sparsity = Sparsity(float(mask.mean()), options.block_size, mode, "given", pattern, options.oversize)
            tensors[name] = replace(tensors[name], sparsity=sparsity)
        return replace(self.graph, tensors=tensors)


def prepare(
    workload: Workload, method: MethodName | None = None, steps: int | None = None, seed: int | None = None
) -> Setup:
    """Return what a training starts with; arguments override the file.

    Raises
    ------
    BadInputError
        The workload has no ``training``, a block size that does not divide a sparse weight, or more weights that stay
        dense than the density keeps.
    """
    entry = workload.training
    if entry is None:
        hint = "add what to learn, from what, and how; see workloads/training/digits-mlp.yaml"
        raise BadInputError([workload.document.problem((), "has no training", hint)])
    chosen = method or entry.sparsity.method
    used = workload.seed if seed is None else seed
    whole, entry = with_loss(assemble_graph(workload), entry)
    graph = needed(with_batch_statistics(whole), (entry.loss, entry.predictions))
    dense = {name: replace(tensor, sparsity=None) for name, tensor in graph.tensors.items()}
    graph = replace(graph, tensors=dense, seed=used)
    bound = (entry.inputs.images, entry.inputs.targets)
    trained = needed(graph, (entry.loss,)).inputs
    weights = tuple(name for name in trained if name not in bound and graph.tensors[name].dtype != WHOLE_NUMBERS)
    try:
        densities = {} if chosen == "dense" else _densities(graph, weights, entry)
    except DistributionError as error:
        raise BadInputError([workload.document.problem(("training", "sparsity", "density"), str(error))]) from None
    problems = _block_problems(workload, graph, densities, entry.sparsity.block_size)
    problems += _scale_problems(workload, entry, graph.tensors[entry.loss].dtype)
    if problems:
        raise BadInputError(problems)
    return Setup(entry, graph, weights, densities, chosen, steps or entry.steps, used)


def with_loss(graph: Graph, entry: TrainingEntry) -> tuple[Graph, TrainingEntry]:
    """Return a graph with a loss, and the training with the names of loss and predictions.

    Where the training names none, the loss is the cross-entropy of the predictions and of an input of their shape.
    """
    predictions = entry.predictions or graph.outputs[0]
    if entry.loss:
        return graph, entry.model_copy(update={"predictions": predictions})
    logits, targets = graph.tensors[predictions], entry.inputs.targets
    tensors = {**graph.tensors, targets: Tensor(targets, logits.shape, logits.dtype, Init("ones"))}
    parts = Parts(LOSS, LOSS, tensors)
    loss = parts.add("cross_entropy", predictions, targets)
    added = replace(graph, tensors=tensors, ops=(*graph.ops, *parts.ops), outputs=(*graph.outputs, loss))
    return added, entry.model_copy(update={"loss": loss, "predictions": predictions})


def with_batch_statistics(graph: Graph) -> Graph:
    """Return a graph whose batch normalisations use the mean and variance of the batch, as training does."""
    kept = ("axis", "epsilon")
    ops = tuple(
        replace(op, kind="batch_norm_training", inputs=op.inputs[:3], attrs={name: op.attrs[name] for name in kept})
        if op.kind == "batch_norm"
        else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)


def initial_masks(setup: Setup, at_end: bool = False) -> dict[str, BoolArray]:
    """Return which blocks of the sparse weights exist at first: as many as the density says, at random.

    Of pruning, all; with `at_end` as many as at its end.
    """
    size = setup.entry.sparsity.block_size
    masks = {}
    for name, density in setup.densities.items():
        rows, cols = matrix_shape(setup.graph.tensors[name].shape)
        shape = (rows // size, cols // size)
        whole = setup.method == "prune" and not at_end
        count = shape[0] * shape[1] if whole else kept_blocks(density, shape[0] * shape[1])
        order = np.argsort(random_scores(shape, setup.seed, f"{name} mask").reshape(-1), kind="stable")
        mask = np.zeros(shape[0] * shape[1], dtype=np.bool_)
        mask[order[:count]] = True
        masks[name] = mask.reshape(shape)
    return masks


def kept_blocks(density: float, n_blocks: int) -> int:
    """Return how many of some blocks a density keeps, one at least."""
    return max(1, round(density * n_blocks))


def initial_weights(setup: Setup, masks: Masks) -> dict[str, F32Array]:
    """Return the weights before the first step in float32, zeros where nothing is kept.

    Those of a sparse weight are divided by the root of its density, so that sums have the variance of dense ones; of a
    convolution they are a matrix, as they lie on the chip.
    """
    found = {}
    for name in setup.weights:
        tensor, mask = replace(setup.graph.tensors[name], dtype="float32"), masks.get(name)
        if mask is None:
            found[name] = tensor_values(tensor, setup.seed)
            continue
        values = matrix_values(tensor, setup.seed)
        found[name] = values * np.float32(1.0 / float(mask.mean()) ** 0.5) * expanded(mask, values.shape)
    return found


def expanded(mask: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Return a mask of blocks as one of elements: bool array of `shape`."""
    size = shape[0] // mask.shape[0]
    return np.repeat(np.repeat(mask, size, axis=0), size, axis=1)


def as_matrix_or_kernel(values: F32Array, shape: tuple[int, ...]) -> F32Array:
    """Return a weight in one of its two shapes: ``[out, in, kernel]``, or the matrix ``[out, kernel * in]``."""
    if values.shape == shape:
        return values
    if len(shape) > 2:
        kernel = (shape[0], *shape[2:], shape[1])
        return np.ascontiguousarray(np.moveaxis(values.reshape(kernel), -1, 1))
    return np.ascontiguousarray(np.moveaxis(values, 1, -1)).reshape(shape)


def needed(graph: Graph, outputs: Sequence[str]) -> Graph:
    """Return the part of a graph that `outputs` depend on; they become its outputs."""
    wanted, ops = set(outputs), []
    for op in reversed(graph.ops):
        if wanted.intersection(op.outputs):
            ops.append(op)
            wanted.update(op.inputs)
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in wanted}
    return replace(graph, tensors=tensors, ops=tuple(ops[::-1]), outputs=tuple(outputs))


def _densities(graph: Graph, weights: Sequence[str], entry: TrainingEntry) -> dict[str, float]:
    """Return the density of every weight of a product or convolution that is not to stay dense.

    Weights that cannot be sparse are no part of the network's density, as in RigL's networks with depthwise layers.
    """
    layers = [layer for layer in weight_layers(graph) if layer.weight.name in weights]
    candidates = [layer.weight for layer in layers if layer.may_be_sparse]
    options = entry.sparsity
    dense = [each.name for each in candidates if any(fnmatchcase(each.name, pattern) for pattern in options.dense)]
    if not candidates:
        return {}
    found = layer_densities(candidates, float(options.density), options.distribution, dense)
    return {name: density for name, density in found.items() if density < 1.0}


def largest_scale(dtype: str) -> float:
    """Return the largest power of two that a number format holds."""
    return 2.0 ** (frexp(number_format(dtype).max)[1] - 1)


def _scale_problems(workload: Workload, entry: TrainingEntry, dtype: str) -> list[Problem]:
    """Return what is wrong with a scale of a loss in a number format."""
    if entry.loss_scale == AUTO or float(entry.loss_scale) <= largest_scale(dtype):
        return []
    message = f"{dtype} holds no more than {largest_scale(dtype):g}"
    return [workload.document.problem(("training", "loss_scale"), message)]


def _block_problems(workload: Workload, graph: Graph, sparse: Mapping[str, float], size: int) -> list[Problem]:
    place = ("training", "sparsity", "block_size")
    shapes = {name: graph.tensors[name].shape for name in sparse}
    return [
        workload.document.problem(place, f"{size} does not divide the weight {name!r} of {list(shape)}")
        for name, shape in shapes.items()
        if any(extent % size for extent in shape[:2])
    ]
