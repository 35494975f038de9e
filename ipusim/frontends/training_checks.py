"""Whether the ``training`` key of a workload file and its graph fit together."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from ipusim.frontends.draft import Draft
from ipusim.frontends.training_entry import BindingEntry, TrainingEntry
from ipusim.ir.tensor import Tensor
from ipusim.ops.spec import shown

_PLACE = "training"


def check_training(draft: Draft) -> None:
    """Report names that are not in the graph, and tensors that cannot play the part they are given."""
    entry = draft.workload.training
    if entry is None:
        return
    declared, results = set(draft.workload.tensors), {each.output for _, each in draft.entries()}
    images = _find(draft, ("inputs", "images"), entry.inputs.images, declared, "an input")
    targets = loss = None
    if entry.loss:
        targets = _find(draft, ("inputs", "targets"), entry.inputs.targets, declared, "an input")
        loss = _find(draft, ("loss",), entry.loss, results, "a result")
    elif entry.inputs.targets in declared | results:
        hint = f"say which result is the loss, or leave {entry.inputs.targets} out"
        draft.report((_PLACE, "inputs", "targets"), "a loss that is added brings this input with it", hint)
    predictions = _predictions(draft, entry, results)
    if not entry.loss and predictions is not None:
        targets = replace(predictions, name=entry.inputs.targets)
    if loss is not None and loss.n_elements != 1:
        draft.report((_PLACE, "loss"), f"{shown(loss)} has {loss.n_elements} elements", "a loss has one")
    if targets is not None and len(targets.shape) != 2:
        draft.report((_PLACE, "inputs", "targets"), f"{shown(targets)} is not [batch, classes]")
    elif targets is not None and predictions is not None and predictions.shape != targets.shape:
        draft.report((_PLACE, "predictions"), f"{shown(predictions)} has not the shape of {shown(targets)}")
    if images is not None and targets is not None and images.shape[0] != targets.shape[0]:
        draft.report((_PLACE, "inputs", "images"), f"{shown(images)} has not as many rows as {shown(targets)}")
    if entry.inputs.images == entry.inputs.targets:
        draft.report((_PLACE, "inputs", "targets"), f"{entry.inputs.targets!r} holds the images already")
    _check_dense(draft, entry, declared)


def _predictions(draft: Draft, entry: TrainingEntry, results: set[str]) -> Tensor | None:
    """Return the tensor with the predictions, where it is known."""
    if entry.predictions:
        return _find(draft, ("predictions",), entry.predictions, results, "a result")
    read = {name for _, each in draft.entries() for name in each.inputs}
    outputs = draft.workload.outputs or tuple(name for name in results if name not in read)
    if len(outputs) != 1:
        draft.report((_PLACE, "predictions"), f"is missing, and there are {len(outputs)} results")
        return None
    return draft.tensors.get(outputs[0])


def _find(draft: Draft, path: tuple[str, ...], name: str, known: set[str], what: str) -> Tensor | None:
    """Return a tensor by name; None if there is none, which is reported, or where it is broken itself."""
    if name not in known and name not in draft.broken_tensors:
        draft.report((_PLACE, *path), f"{name!r} is not {what} of the graph", draft.suggest(name, known))
    return draft.tensors.get(name) if name in known else None


def _check_dense(draft: Draft, entry: TrainingEntry, declared: set[str]) -> None:
    """Report patterns that match no weight."""
    weights = declared - _bound(entry.inputs)
    for position, pattern in enumerate(entry.sparsity.dense):
        if not any(fnmatchcase(name, pattern) for name in weights):
            hint = draft.suggest(pattern, weights)
            draft.report((_PLACE, "sparsity", "dense", position), f"no weight is called {pattern!r}", hint)


def _bound(inputs: BindingEntry) -> set[str]:
    return {inputs.images, inputs.targets}
