"""The loop of a training: every step is executed by the program that the compiler made for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ipusim.chip.model import Chip
from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic
from ipusim.formats import round_to_format
from ipusim.frontends.model import Workload
from ipusim.training.checkpoint import State, Totals, read_checkpoint, write_checkpoint
from ipusim.training.data import (
    Dataset,
    F32Array,
    batch_indices,
    load_arrays,
    load_digits,
    one_hot,
    random_scores,
)
from ipusim.training.optimisers.registry import find_optimiser
from ipusim.training.programs import Part, Programs
from ipusim.training.rates import learning_rate
from ipusim.training.setup import Setup, expanded, initial_masks, initial_weights
from ipusim.training.topology import block_scores, change_connections

Progress = Callable[[str], None]


class Training:
    """A training that is under way.

    Parameters
    ----------
    workload : Workload
    chip : Chip
    setup : Setup
    threads : int
        Of the execution; results do not depend on it.
    """

    def __init__(self, workload: Workload, chip: Chip, setup: Setup, threads: int = 1) -> None:
        self.setup, self.threads = setup, threads
        self.data = load_dataset(workload, setup)
        parts = (json.dumps(workload.document.data, sort_keys=True, default=str), str(chip))
        self.fingerprint = hashlib.sha256(repr((*parts, setup.method, setup.steps, setup.seed)).encode()).hexdigest()
        masks = initial_masks(setup)
        self.programs = Programs(workload, chip, setup, setup.with_masks(masks))
        self.programs.step()
        weights = initial_weights(setup, masks)
        states = {name: np.zeros(weights[name.rpartition("#")[0]].shape, np.float32) for name in self.programs.states}
        self.state = State(0, weights, states, masks)
        self._inputs: dict[str, F32Array] = {}

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint."""
        self.state = read_checkpoint(checkpoint, self.fingerprint)
        self.programs.change(self.state.masks)

    def run(self, log: Path | None, checkpoint: Path | None, progress: Progress | None = None) -> None:
        """Do the remaining steps; log lines and checkpoint are written after every interval, whole or not at all."""
        setup, state = self.setup, self.state
        while state.step < setup.steps:
            self._step()
            if state.step % setup.entry.log_every and state.step != setup.steps:
                continue
            line = self._line()
            state.log.append(json.dumps(line))
            state.losses.clear()
            if log is not None:
                write_atomic(log, "".join(f"{each}\n" for each in state.log))
            if checkpoint is not None:
                write_checkpoint(checkpoint, state, self.fingerprint)
            if progress is not None:
                shown = (f"step {state.step} of {setup.steps}", f"loss {line['loss']:.3g}")
                progress(f"{setup.method}: {', '.join(shown)}, accuracy {100 * line['accuracy']:.1f} %")

    def accuracy(self) -> float:
        """Return the share of the test images whose class is found."""
        setup, data = self.setup, self.data
        forward = self.programs.forward()
        right = 0
        for start in range(0, len(data.y_test), setup.batch):
            images, labels = data.x_test[start : start + setup.batch], data.y_test[start : start + setup.batch]
            filled = np.zeros((setup.batch, images.shape[1]), dtype=np.float32)
            filled[: len(images)] = images
            found = forward.run({**self.state.weights, **self._images(filled)}, self.threads)
            right += int((found[setup.entry.predictions].argmax(axis=1)[: len(labels)] == labels).sum())
        return right / len(data.y_test)

    def _step(self) -> None:
        """Do one step: of RigL, where connections change, that change stands in for the update of the weights."""
        state, schedule = self.state, self.setup.schedule
        due = schedule is not None and schedule.is_due(state.step)
        step = self.programs.step()
        self._feed()
        if due and self.setup.method == "rigl":
            part = self.programs.dense_gradients()
            found = part.run({**self._inputs, **state.weights}, self.threads)
            gradients = {name: found[result] for name, result in self.programs.gradients.items()}
            self._count(part, part.cost.seconds)
            self._change(gradients)
        else:
            found = step.run({**self._inputs, **state.weights, **state.states}, self.threads)
            for name, result in self.programs.updates.items():
                (state.weights if name in state.weights else state.states)[name] = found[result]
            self._count(step)
            if due:
                self._change({})
        state.losses.append(float(found[self.setup.entry.loss].reshape(-1)[0]))
        state.step += 1

    def _feed(self) -> None:
        """Bring the batch, the learning rate and the scale of the loss of this step."""
        setup, step = self.setup, self.state.step
        entry, tensors = setup.entry, self.programs.step().compiled.graph.tensors
        chosen = batch_indices(len(self.data.y_train), setup.batch, step, setup.seed)
        optimiser = find_optimiser(entry.optimiser.kind)
        rate = learning_rate(entry.learning_rate, step, setup.steps)
        rate = optimiser.rate(rate, step, entry.optimiser.options())
        targets = one_hot(self.data.y_train[chosen], setup.n_classes)
        self._inputs = {**self._images(self.data.x_train[chosen]), entry.inputs.targets: targets}
        self._inputs |= {name: _rounded(rate, tensors[name].dtype) for name in self.programs.rates}
        self._inputs[self.programs.seed] = _rounded(float(entry.loss_scale), tensors[self.programs.seed].dtype)

    def _images(self, images: F32Array) -> dict[str, F32Array]:
        tensor = self.setup.graph.tensors[self.setup.entry.inputs.images]
        return {tensor.name: round_to_format(images, tensor.dtype).reshape(tensor.shape)}

    def _change(self, gradients: Mapping[str, F32Array]) -> None:
        """Drop connections by magnitude and grow others, where gradients are large or else at random."""
        setup, state, schedule = self.setup, self.state, self.setup.schedule
        assert schedule is not None
        size, share = setup.entry.sparsity.block_size, schedule.share(state.step)
        for name, mask in state.masks.items():
            drop = block_scores(state.weights[name], size)
            grow = (
                block_scores(gradients[name], size)
                if gradients
                else random_scores(mask.shape, setup.seed, f"{name} grown in step {state.step}")
            )
            changed = change_connections(mask, drop, grow, share)
            stayed = expanded(mask & changed, state.weights[name].shape)
            state.totals.changed += int((changed & ~mask).sum()) * size * size
            state.masks[name] = changed
            state.weights[name] = state.weights[name] * stayed
            for other in (each for each in state.states if each.rpartition("#")[0] == name):
                state.states[other] = state.states[other] * stayed
        self.programs.change(state.masks)
        placing_s = self.programs.step().update_s
        state.totals.seconds += placing_s
        state.totals.topology_s += placing_s

    def _count(self, part: Part, topology_s: float = 0.0) -> None:
        totals: Totals = self.state.totals
        totals.cycles += part.cost.cycles
        totals.flops += part.cost.flops
        totals.seconds += part.cost.seconds
        totals.energy_j += part.cost.energy_j or 0.0
        totals.topology_s += topology_s

    def _line(self) -> dict[str, Any]:
        """Return what a log line says."""
        setup, state, totals = self.setup, self.state, self.state.totals
        weights = sum(state.weights[name].size for name in setup.weights)
        size = setup.entry.sparsity.block_size
        absent = sum(int((~mask).sum()) for mask in state.masks.values()) * size * size
        known = self.programs.step().cost.energy_j is not None
        return {
            "step": state.step,
            "loss": float(np.mean(state.losses)),
            "accuracy": self.accuracy(),
            "learning_rate": learning_rate(setup.entry.learning_rate, state.step - 1, setup.steps),
            "density": (weights - absent) / weights,
            "connections_changed": totals.changed,
            "flops": totals.flops,
            "cycles": totals.cycles,
            "seconds": totals.seconds,
            "topology_seconds": totals.topology_s,
            "energy_j": totals.energy_j if known else None,
        }


def load_dataset(workload: Workload, setup: Setup) -> Dataset:
    """Return the data that a workload names.

    Raises
    ------
    BadInputError
        It cannot be read, or does not have the shapes of the tensors that it is bound to.
    """
    entry = setup.entry
    if entry.data is None:
        hint = "without them, --no-execute says what the programs cost"
        raise BadInputError([workload.document.problem(("training",), "has no data", hint)])
    if entry.data.kind == "digits":
        data = load_digits(setup.seed)
    else:
        data = load_arrays(workload.folder / str(entry.data.file))
    images = setup.graph.tensors[entry.inputs.images]
    problems = []
    if data.n_features * setup.batch != images.n_elements:
        message = f"{images.name!r} of {list(images.shape)} holds {images.n_elements // setup.batch} numbers an image"
        place = ("training", "inputs", "images")
        problems.append(workload.document.problem(place, message, f"the data have {data.n_features}"))
    if data.n_classes > setup.n_classes:
        message = f"there are {setup.n_classes} classes"
        place = ("training", "inputs", "targets")
        problems.append(workload.document.problem(place, message, f"the data have {data.n_classes}"))
    if problems:
        raise BadInputError(problems)
    return data


def _rounded(value: float, dtype: str) -> F32Array:
    return round_to_format(np.full(1, value, dtype=np.float32), dtype)
