"""Saved results: read again, checked, and told apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ipusim.errors import BadInputError, Problem
from ipusim.files.regular import open_regular

RUN = "ipusim-result-1"
COMPARISON = "ipusim-comparison-1"
EXPLORATION = "ipusim-exploration-1"
VALIDATION = "ipusim-validation-1"
TRAINING = "ipusim-training-1"
METHODS = "ipusim-training-comparison-1"

MAX_FILE_BYTES = 100 << 20
"""Largest file that is read."""

_NEEDED: Mapping[str, tuple[str, ...]] = {
    RUN: (
        *("workload", "chip", "options", "seed", "versions", "cycles", "seconds", "flops", "tflops", "peak_tflops"),
        *("fraction_of_peak", "energy_j", "cycles_by_phase", "supersteps", "memory", "ops", "check", "infeasible"),
    ),
    EXPLORATION: (
        *("space", "chip", "workloads", "parameters", "derived", "objectives", "counts", "reasons", "pareto", "cloud"),
        *("sensitivity", "price_of_constraints", "summary"),
    ),
    VALIDATION: ("chip", "options", "versions", "passed", "n_points", "sources", "fitted_constants"),
    TRAINING: (
        *("workload", "chip", "method", "steps", "seed", "batch", "n_weights", "density", "layer_densities"),
        *("programs", "tile_sram_bytes", "pattern_update_s", "topology_share", "trained", "log"),
    ),
    METHODS: ("workload", "chip", "methods", "seeds", "interrupted", "not_run", "infeasible", "summary", "runs"),
    COMPARISON: ("workload", "chip", "options", "seed", "versions", "baselines", "cells", "break_even", "summary"),
}


def load_result(path: Path) -> dict[str, Any]:
    """Return the document in a file that a command such as ``ipusim run`` has written.

    Raises
    ------
    BadInputError
        The file cannot be read, is no JSON, or holds something else.
    """
    try:
        with open_regular(path, may_be_pipe=True) as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise _problem(path, f"the file is larger than {MAX_FILE_BYTES >> 20} MiB")
        document = json.loads(content)
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise BadInputError([Problem(str(path), error.lineno, error.colno, "", f"is no JSON: {error.msg}")]) from None
    except (ValueError, RecursionError):
        raise _problem(path, "is no JSON") from None
    schema = str(document.get("schema")) if isinstance(document, dict) else ""
    if schema not in _NEEDED:
        hint = "save one with: ipusim run WORKLOAD --profile -o FILE.json"
        raise BadInputError(
            [Problem(str(path), 0, 0, "", "is no result of ipusim run, compare, explore, train or validate", hint)]
        )
    missing = [name for name in _NEEDED[schema] if name not in document]
    if missing:
        raise BadInputError(Problem(str(path), 0, 0, name, "is missing") for name in missing)
    return dict(document)


def load_results(*paths: Path) -> list[dict[str, Any]]:
    """Return the documents in several files.

    Raises
    ------
    BadInputError
        With what is wrong with each of them; see :func:`load_result`.
    """
    documents: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            documents.append(load_result(path))
        except BadInputError as error:
            problems += error.problems
    if problems:
        raise BadInputError(problems)
    return documents


def rendered(path: Path, render: Callable[[dict[str, Any]], str], document: dict[str, Any]) -> str:
    """Return what `render` makes of a document from a file.

    Raises
    ------
    BadInputError
        The document has the keys of a result, but not the values.
    """
    from jinja2 import TemplateError

    try:
        return render(document)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, TemplateError) as error:
        raise _problem(path, f"is damaged: {type(error).__name__}: {error}") from error


def _problem(path: Path, message: str) -> BadInputError:
    return BadInputError([Problem(str(path), 0, 0, "", message)])
