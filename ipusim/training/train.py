"""Train a workload, or find out what its steps cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipusim.chip.model import Chip
from ipusim.errors import BadInputError
from ipusim.frontends.model import Workload
from ipusim.frontends.training_entry import MethodName
from ipusim.pipeline.compiling import ChipLike, WorkloadLike, load_inputs
from ipusim.pipeline.formats import format_problems
from ipusim.pipeline.limits import limits
from ipusim.pipeline.uncertainty import uncertainty
from ipusim.training.document import TrainingDocument
from ipusim.training.loop import Training
from ipusim.training.programs import DoesNotFitError, Part, Programs
from ipusim.training.setup import Setup, initial_masks, prepare

Progress = Callable[[str], None]
Document = dict[str, Any]

SCHEMA = "ipusim-training-1"


def train(
    workload: WorkloadLike,
    chip: ChipLike | None = None,
    settings: Sequence[str] = (),
    method: MethodName | None = None,
    steps: int | None = None,
    seed: int | None = None,
    execute: bool = True,
    log: Path | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    threads: int = 1,
    progress: Progress | None = None,
) -> TrainingDocument:
    """Train a workload and return what came of it, as a JSON-ready document.

    Parameters
    ----------
    workload, chip, settings
        As for :func:`~ipusim.pipeline.simulate`.
    method, steps, seed : optional
        Instead of what the workload says.
    execute : bool
        Without, nothing is trained: the document has the costs of the programs alone.
    log : Path, optional
        File of JSON lines, one for each interval.
    checkpoint : Path, optional
        File that holds the state after the last interval.
    resume : bool
        Go on from the checkpoint, if there is one.
    threads : int
        Of the execution; results do not depend on it.
    progress : callable, optional
        Called with a line of text after each interval.

    Raises
    ------
    BadInputError
        With every problem of the files and the data.
    DoesNotFitError
        A program of the training has no room on the chip.
    """
    loaded, target = load_inputs(workload, chip, settings)
    setup = prepare(loaded, method, steps, seed)
    problems = format_problems(loaded, target, setup.graph)
    if problems:
        raise BadInputError(problems)
    try:
        if not execute:
            programs = Programs(loaded, target, setup, initial_masks(setup, at_end=True))
            return TrainingDocument(_document(loaded, target, setup, programs.all()))
        training = Training(loaded, target, setup, threads)
        training.programs.all()
        if resume and checkpoint is not None and checkpoint.exists():
            training.resume(checkpoint)
        training.run(log, checkpoint, progress)
        lines = [json.loads(line) for line in training.state.log]
        reached = {"trained": lines[-1], "log": lines}
        return TrainingDocument(_document(loaded, target, setup, training.programs.all()) | reached)
    except DoesNotFitError as error:
        from ipusim.training.infeasible import explained

        raise explained(error, loaded, target, setup) from None


def _document(workload: Workload, chip: Chip, setup: Setup, parts: Mapping[str, Part]) -> Document:
    step, accumulate = parts["step"], setup.entry.accumulate
    n_weights = sum(setup.graph.tensors[name].n_elements for name in setup.weights)
    absent = sum((1 - density) * setup.graph.tensors[name].n_elements for name, density in setup.densities.items())
    return {
        "schema": SCHEMA,
        "workload": workload.name,
        "chip": chip.name,
        "method": setup.method,
        "steps": setup.steps,
        "seed": setup.seed,
        "batch": setup.batch * accumulate,
        "accumulate": accumulate,
        "n_weights": n_weights,
        "density": (n_weights - absent) / n_weights,
        "layer_densities": dict(setup.densities),
        "programs": {name: part.to_dict() for name, part in parts.items()},
        "tile_sram_bytes": chip.tile_sram_bytes,
        "pattern_update_s": step.update_s if setup.schedule else 0.0,
        "topology_share": _topology_share(setup, parts),
        "trained": None,
        "log": [],
        **limits(chip),
        "uncertainty": uncertainty(step.compiled, step.trace.op_cycles),
    }


def _topology_share(setup: Setup, parts: Mapping[str, Part]) -> float:
    """Return the share of changing the connections in the seconds of the steps from one change to the next."""
    if setup.schedule is None:
        return 0.0
    accumulate = setup.entry.accumulate
    gradients = parts.get("dense_gradients")
    changing_s = parts["step"].update_s + (accumulate * gradients.cost.seconds if gradients else 0.0)
    ordinary = setup.schedule.every - (1 if gradients else 0)
    passes_s = (accumulate - 1) * parts["accumulate"].cost.seconds if accumulate > 1 else 0.0
    return changing_s / (ordinary * (parts["step"].cost.seconds + passes_s) + changing_s)
