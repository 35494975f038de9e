"""The loop of a training: every step is executed by the program that the compiler made for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ipusim.chip.model import Chip
from ipusim.errors import BadInputError
from ipusim.files.atomic import write_atomic
from ipusim.formats import round_to_format
from ipusim.formats.loss_scale import LossScale, count_non_finite
from ipusim.formats.scale import AUTO
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
from ipusim.training.setup import (
    Masks,
    Setup,
    as_matrix_or_kernel,
    expanded,
    initial_masks,
    initial_weights,
    kept_blocks,
    largest_scale,
)
from ipusim.training.step import MASK, MASTER, UNSCALE
from ipusim.training.topology import BoolArray, FloatArray, block_scores, change_connections, prune_connections

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
        self.programs = Programs(workload, chip, setup, masks)
        self.programs.step()
        weights, states = self._start(masks)
        self.state = State(0, weights, states, masks, scale=self._first_scale())

    def resume(self, checkpoint: Path) -> None:
        """Go on from a checkpoint."""
        self.state = read_checkpoint(checkpoint, self.fingerprint, self.state)
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
                loss = "not finite" if line["loss"] is None else f"{line['loss']:.3g}"
                shown = (f"step {state.step} of {setup.steps}", f"loss {loss}")
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
            found = forward.run({**self._fed(forward), **self._images(filled)}, self.threads)
            right += int((found[setup.entry.predictions].argmax(axis=1)[: len(labels)] == labels).sum())
        return right / len(data.y_test)

    def _start(self, masks: Masks) -> tuple[dict[str, F32Array], dict[str, F32Array]]:
        """Return weights and states before the first step."""
        tensors = self.setup.graph.tensors
        whole = initial_weights(self.setup, masks)
        states = {}
        for name in self.programs.built.states:
            weight, _, role = name.rpartition("#")
            states[name] = whole[weight] if role == MASTER else np.zeros(whole[weight].shape, np.float32)
        return {name: round_to_format(values, tensors[name].dtype) for name, values in whole.items()}, states

    def _first_scale(self) -> LossScale:
        """Return the scale of the loss in the first step: what is asked for, or as large as it can be."""
        asked = self.setup.entry.loss_scale
        return LossScale(float(asked), 0) if asked != AUTO else self._limited(LossScale())

    def _limited(self, scale: LossScale) -> LossScale:
        """Return a scale that the format of the loss can hold."""
        largest = largest_scale(self.setup.graph.tensors[self.setup.entry.loss].dtype)
        return replace(scale, scale=min(scale.scale, largest))

    def _step(self) -> None:
        """Do one step: of RigL, where connections change, that change stands in for the update of the weights."""
        state, setup = self.state, self.setup
        schedule = setup.schedule or setup.pruning
        due = schedule is not None and schedule.is_due(state.step)
        batches = self._batches()
        if due and setup.method == "rigl":
            self._regrow(batches)
        else:
            self._update(batches)
            if due:
                self._change({})
        state.step += 1

    def _update(self, batches: Sequence[Mapping[str, F32Array]]) -> None:
        """Do the passes of a step, and its update; it is left out where scaled gradients have overflowed."""
        state = self.state
        before = dict(state.weights), dict(state.states)
        parts = [*(self.programs.accumulate() for _ in batches[1:]), self.programs.step()]
        losses = [self._run(part, batch) for part, batch in zip(parts, batches, strict=True)]
        state.losses.append(float(np.mean(losses)))
        if not self._stays_finite((*state.weights.values(), *state.states.values())):
            state.weights, state.states = before

    def _regrow(self, batches: Sequence[Mapping[str, F32Array]]) -> None:
        """Change connections by the dense gradients, which the host adds up."""
        part = self.programs.dense_gradients()
        losses: list[float] = []
        gradients: dict[str, F32Array] = {}
        for batch in batches:
            found = part.run({**batch, **self._fed(part)}, self.threads)
            losses.append(self._loss(found))
            for name, result in self.programs.gradients.items():
                gradients[name] = gradients[name] + found[result] if name in gradients else found[result]
            self._count(part, part.cost.seconds)
        self.state.losses.append(float(np.mean(losses)))
        if self._stays_finite(gradients.values()):
            self._change(gradients)

    def _run(self, part: Part, batch: Mapping[str, F32Array]) -> float:
        """Run a program that changes weights or states; return the loss."""
        state = self.state
        found = part.run({**batch, **self._fed(part)}, self.threads)
        for name, result in part.updates.items():
            held = state.weights if name in state.weights else state.states
            held[name] = as_matrix_or_kernel(found[result], held[name].shape)
        self._count(part)
        return self._loss(found)

    def _loss(self, found: Mapping[str, F32Array]) -> float:
        return float(found[self.setup.entry.loss].reshape(-1)[0])

    def _fed(self, part: Part) -> dict[str, F32Array]:
        """Return the weights and states that a program reads, and of dense products the masks of pruned weights."""
        state, tensors = self.state, part.compiled.graph.tensors
        values = {**state.weights, **state.states}
        for name, mask in state.masks.items() if self.setup.method == "prune" else ():
            values[f"{name}#{MASK}"] = expanded(mask, state.weights[name].shape).astype(np.float32)
        return {
            name: as_matrix_or_kernel(array, tensors[name].shape) for name, array in values.items() if name in tensors
        }

    def _stays_finite(self, values: Iterable[F32Array]) -> bool:
        """Return whether a step counts, and settle the scale of the next one.

        Without a scale every step counts. What overflows in a gradient is not finite in what it updates either.
        """
        state = self.state
        if self.setup.entry.loss_scale == 1.0:
            return True
        lost = count_non_finite(values)
        state.scale = self._limited(state.scale.after_step(lost))
        state.totals.skipped += int(lost > 0)
        return lost == 0

    def _batches(self) -> list[dict[str, F32Array]]:
        """Return what the passes of this step are fed with: images, targets, learning rate, and scale of the loss."""
        setup, step, built = self.setup, self.state.step, self.programs.built
        entry, tensors = setup.entry, built.graph.tensors
        chosen = batch_indices(len(self.data.y_train), setup.batch * entry.accumulate, step, setup.seed)
        optimiser = find_optimiser(entry.optimiser.kind)
        rate = learning_rate(entry.learning_rate, step, setup.steps)
        rate = optimiser.rate(rate, step, entry.optimiser.options())
        scale = self.state.scale.scale
        same = {name: _rounded(rate, tensors[name].dtype) for name in built.rates}
        same[built.seed] = _rounded(scale, tensors[built.seed].dtype)
        for name in (each for each in tensors if each.startswith(UNSCALE)):
            same[name] = _rounded(1.0 / (scale * entry.accumulate), tensors[name].dtype)
        batches = []
        for own in chosen.reshape(entry.accumulate, setup.batch):
            targets = one_hot(self.data.y_train[own], setup.n_classes)
            batches.append({**same, **self._images(self.data.x_train[own]), entry.inputs.targets: targets})
        return batches

    def _images(self, images: F32Array) -> dict[str, F32Array]:
        tensor = self.setup.graph.tensors[self.setup.entry.inputs.images]
        return {tensor.name: round_to_format(images, tensor.dtype).reshape(tensor.shape)}

    def _change(self, gradients: Mapping[str, F32Array]) -> None:
        """Change connections; weights and states of those that are new, or no longer there, become zeros."""
        state, size = self.state, self.setup.entry.sparsity.block_size
        for name, mask in state.masks.items():
            weights = state.states.get(f"{name}#{MASTER}", state.weights[name])
            changed = self._changed(name, mask, block_scores(weights, size), gradients)
            stayed = expanded(mask & changed, weights.shape)
            state.totals.changed += max(int((changed & ~mask).sum()), int((mask & ~changed).sum())) * size * size
            state.masks[name] = changed
            state.weights[name] = state.weights[name] * stayed
            for other in (each for each in state.states if each.rpartition("#")[0] == name):
                state.states[other] = state.states[other] * stayed
        self.programs.change(state.masks)
        placing_s = self.programs.step().update_s
        state.totals.seconds += placing_s
        state.totals.topology_s += placing_s

    def _changed(self, name: str, mask: BoolArray, score: FloatArray, gradients: Mapping[str, F32Array]) -> BoolArray:
        """Return the new connections of a weight: dropped by magnitude, and grown by gradients or at random."""
        setup, step = self.setup, self.state.step
        if setup.pruning is not None:
            lost = (1.0 - setup.densities[name]) * setup.pruning.share(step)
            return prune_connections(mask, score, kept_blocks(1.0 - lost, mask.size))
        assert setup.schedule is not None
        if gradients:
            grow = block_scores(gradients[name], setup.entry.sparsity.block_size)
        else:
            grow = random_scores(mask.shape, setup.seed, f"{name} grown in step {step}")
        return change_connections(mask, score, grow, setup.schedule.share(step))

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
        loss = float(np.mean(state.losses))
        return {
            "step": state.step,
            "loss": loss if isfinite(loss) else None,
            "accuracy": self.accuracy(),
            "learning_rate": learning_rate(setup.entry.learning_rate, state.step - 1, setup.steps),
            "density": (weights - absent) / weights,
            "connections_changed": totals.changed,
            "flops": totals.flops,
            "cycles": totals.cycles,
            "seconds": totals.seconds,
            "topology_seconds": totals.topology_s,
            "energy_j": totals.energy_j if known else None,
            "loss_scale": state.scale.scale,
            "skipped_steps": totals.skipped,
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
