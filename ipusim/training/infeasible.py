"""What would make a program of a training fit: each change has been compiled, none is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ipusim.chip.model import Chip
from ipusim.errors import BadInputError
from ipusim.frontends.entries import LEVERS
from ipusim.frontends.model import Workload
from ipusim.frontends.workload import load_workload
from ipusim.pipeline.compiling import changed_chip
from ipusim.pipeline.infeasible import FACTORS, explain_infeasible
from ipusim.training.programs import WHAT, DoesNotFitError, Programs
from ipusim.training.setup import Setup, initial_masks, prepare

_FRACTIONS = (2, 4, 8, 16)
_MOST_TERMS = 3

Attempt = tuple[str, Workload, Chip]


def explained(error: DoesNotFitError, workload: Workload, chip: Chip, setup: Setup) -> DoesNotFitError:
    """Return the error with what takes the memory, and changes of workload or chip with which the program fits."""
    found = explain_infeasible(error.compiled, with_levers=False)
    assert found is not None
    message = f"{WHAT[error.program]} of {setup.method} does not fit {chip.name}: {_shortage(found)}"
    helps = [help for kind in _attempts(workload, chip) if (help := _first_that_fits(kind, error.program, setup))]
    hint = "what helps: " + "; ".join(helps) if helps else "none of the changes that were tried helps"
    problem = workload.document.problem(("training",), message, hint, at_key=True)
    return DoesNotFitError(str(problem), error.program, error.compiled)


def _shortage(found: Mapping[str, Any]) -> str:
    demand, capacity, terms = found["demand_bytes"], found["capacity_bytes"], found["terms"]
    if not demand:
        return str(found["constraint"])
    largest = sorted(terms.items(), key=lambda term: -term[1])[:_MOST_TERMS]
    takes = ", ".join(f"{name} {size:,}" for name, size in largest)
    where = "in DRAM" if found["constraint"] == "dram_bytes" else "a tile"
    return f"{demand:,} of {capacity:,} bytes {where}" + (f", most of them: {takes}" if takes else "")


def _first_that_fits(attempts: Iterator[Attempt], program: str, setup: Setup) -> str:
    """Return the first of some changes with which a program fits, in words."""
    for words, workload, chip in attempts:
        try:
            other = prepare(workload, setup.method, setup.steps, setup.seed)
            Programs(workload, chip, other, initial_masks(other, at_end=True)).part(program)
        except (DoesNotFitError, BadInputError):
            continue
        return words
    return ""


def _attempts(workload: Workload, chip: Chip) -> Iterator[Iterator[Attempt]]:
    """Yield the kinds of changes, each the smaller ones first."""
    if set(workload.compile.levers) != set(LEVERS):
        yield _settings(workload, chip, ["compile.levers=auto"])
    if workload.dtype == "float32":
        yield _settings(workload, chip, ["dtype=float16"])
    yield _settings(workload, chip, list(_batches(workload)))
    yield _chips(workload, chip, "tile_sram_bytes", "the SRAM of a tile")
    yield _chips(workload, chip, "n_tiles", "the tiles")


def _settings(workload: Workload, chip: Chip, settings: list[str]) -> Iterator[Attempt]:
    for setting in settings:
        try:
            yield setting, load_workload(workload, [setting]), chip
        except BadInputError:
            continue


def _batches(workload: Workload) -> Iterator[str]:
    """Yield settings of a model's batch, which `training.accumulate` makes up for."""
    model = workload.source.data.get("model")
    for name, options in model.items() if isinstance(model, dict) else ():
        batch = options.get("batch") if isinstance(options, dict) else None
        for fraction in _FRACTIONS:
            if isinstance(batch, int) and batch % fraction == 0:
                yield f"model.{name}.batch={batch // fraction}"


def _chips(workload: Workload, chip: Chip, field: str, what: str) -> Iterator[Attempt]:
    for factor in FACTORS:
        larger = changed_chip(chip, **{field: factor * getattr(chip, field)})
        if larger is not None:
            yield f"{field}={factor * getattr(chip, field)} ({factor} times {what})", workload, larger
