"""Train a workload by several methods from several seeds, and set them side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from ipusim.frontends.training_entry import MethodName
from ipusim.pipeline.compiling import ChipLike, WorkloadLike, load_inputs
from ipusim.pipeline.limits import limits
from ipusim.training.document import TrainingDocument
from ipusim.training.programs import DoesNotFitError
from ipusim.training.train import train

Progress = Callable[[str], None]
Document = dict[str, Any]

SCHEMA = "ipusim-training-comparison-1"


def compare_methods(
    workload: WorkloadLike,
    methods: Sequence[MethodName],
    n_seeds: int,
    chip: ChipLike | None = None,
    settings: Sequence[str] = (),
    steps: int | None = None,
    seed: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> TrainingDocument:
    """Train a workload by several methods from several seeds, and return what came of it, as a JSON-ready document.

    An interrupt (``KeyboardInterrupt``) ends it with what is finished; the document says so.

    Parameters
    ----------
    methods : sequence of str
    n_seeds : int
        Seeds of each method: the first one and those that follow.
    seed : int, optional
        The first one; by default that of the workload.
    folder : Path, optional
        Where log and checkpoint of every training are kept, as ``METHOD-SEED.jsonl`` and ``METHOD-SEED.npz``.
    resume : bool
        Go on from what the folder holds: finished trainings are not repeated.

    Other parameters are those of :func:`~ipusim.training.train.train`.

    Returns
    -------
    dict
        As the README of this room describes it.

    Raises
    ------
    BadInputError
        With every problem of the files and the data.
    """
    loaded, target = load_inputs(workload, chip, settings)
    first = loaded.seed if seed is None else seed
    seeds = list(range(first, first + n_seeds))
    todo = [(method, each) for method in dict.fromkeys(methods) for each in seeds]
    runs: list[Document] = []
    infeasible: dict[str, str] = {}
    interrupted = False
    if folder is not None:
        folder.mkdir(exist_ok=True)
    for method, each in todo:
        if method in infeasible:
            continue
        log, checkpoint = _files(folder, f"{method}-{each}")
        tell = None if progress is None else _prefixed(progress, f"seed {each}, ")
        try:
            done = train(loaded, target, (), method, steps, each, True, log, checkpoint, resume, threads, tell)
        except DoesNotFitError as error:
            infeasible[method] = str(error)
        except KeyboardInterrupt:
            interrupted = True
            break
        else:
            runs.append(done)
    found = {
        "schema": SCHEMA,
        "workload": loaded.name,
        "chip": target.name,
        "methods": list(dict.fromkeys(methods)),
        "seeds": seeds,
        "interrupted": interrupted,
        "not_run": len(todo) - len(runs),
        "infeasible": infeasible,
        "summary": summarise(runs),
        "runs": runs,
        **limits(target),
    }
    return TrainingDocument(found)


def summarise(runs: Sequence[Mapping[str, Any]]) -> Document:
    """Return what the trainings of each method have in common: the key ``summary`` of a comparison.

    Parameters
    ----------
    runs : sequence of dict
        As :func:`~ipusim.training.train.train` returns them.
    """
    if not runs:
        return {"steps": 0, "equal_cycles": None, "methods": []}
    budget = min(int(run["trained"]["cycles"]) for run in runs)
    by_method: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_method.setdefault(str(run["method"]), []).append(run)
    rows = [_row(method, each, budget) for method, each in by_method.items()]
    dense = next((row for row in rows if row["method"] == "dense"), None)
    for row in rows:
        for name in ("training_flops", "inference_flops", "cycles"):
            row[f"{name}_of_dense"] = row[name] / dense[name] if dense else None
    return {"steps": max(run["steps"] for run in runs), "equal_cycles": budget, "methods": rows}


def at_cycles(log: Sequence[Mapping[str, Any]], name: str, cycles: int) -> float | None:
    """Return a figure of the log lines at a number of cycles, on the straight line between the two lines around it.

    None before the first line, and behind the last one.
    """
    places = [line["cycles"] for line in log]
    if not places or not places[0] <= cycles <= places[-1]:
        return None
    return float(np.interp(cycles, places, [line[name] for line in log]))


def _row(method: str, runs: Sequence[Mapping[str, Any]], budget: int) -> Document:
    ends = [run["trained"] for run in runs]
    programs = [run["programs"] for run in runs]
    energies = [end["energy_j"] for end in ends]
    return {
        "method": method,
        "n_seeds": len(runs),
        "density": runs[0]["density"],
        "topology_share": fmean(run["topology_share"] for run in runs),
        "accuracy": _spread([end["accuracy"] for end in ends]),
        "loss": _spread([end["loss"] for end in ends]),
        "accuracy_at_equal_cycles": _spread([at_cycles(run["log"], "accuracy", budget) for run in runs]),
        "steps_at_equal_cycles": _mean([at_cycles(run["log"], "step", budget) for run in runs]),
        "training_flops": fmean(end["flops"] for end in ends),
        "inference_flops": fmean(each["forward"]["flops"] for each in programs),
        "cycles": fmean(end["cycles"] for end in ends),
        "cycles_per_step": fmean(end["cycles"] / end["step"] for end in ends),
        "seconds": fmean(end["seconds"] for end in ends),
        "topology_seconds": fmean(end["topology_seconds"] for end in ends),
        "energy_j": _mean(energies),
        "connections_changed": fmean(end["connections_changed"] for end in ends),
        "max_tile_bytes": max(part["max_tile_bytes"] for each in programs for part in each.values()),
        "tile_bytes_by_program": {
            name: max(each[name]["max_tile_bytes"] for each in programs if name in each) for name in programs[0]
        },
        "cycles_by_program": {
            name: fmean(each[name]["cycles"] for each in programs if name in each) for name in programs[0]
        },
        "step_cycles_by_phase": {
            phase: fmean(each["step"]["cycles_by_phase"][phase] for each in programs)
            for phase in programs[0]["step"]["cycles_by_phase"]
        },
    }


def _spread(values: Sequence[float | None]) -> Document | None:
    """Return mean, sample standard deviation (None of one value), least and most; None if a value is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    spread = stdev(known) if len(known) > 1 else None
    return {"mean": fmean(known), "std": spread, "least": min(known), "most": max(known), "values": known}


def _mean(values: Sequence[float | None]) -> float | None:
    found = _spread(values)
    return None if found is None else float(found["mean"])


def _files(folder: Path | None, name: str) -> tuple[Path | None, Path | None]:
    """Return the files of log and checkpoint."""
    return (None, None) if folder is None else (folder / f"{name}.jsonl", folder / f"{name}.npz")


def _prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda text: progress(prefix + text)
