"""The page of a training, or of several methods side by side, from its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipusim.report.html.page import render_page, render_part
from ipusim.report.numbers import format_percent
from ipusim.report.training_series import by_method, method_series, runs_of
from ipusim.report.training_words import PROGRAMS, accuracy_text, training_summary
from ipusim.report.trust import uncertainty_sentences
from ipusim.report.validation_words import DOCUMENTED_ERRORS

Document = Mapping[str, Any]

MOST_ROWS = 2000
"""Of more log lines, the table shows the first; the plots have all."""

_LINE = ("step", "accuracy", "loss", "density", "connections_changed", "flops", "cycles", "seconds", "energy_j")


def render_training_page(document: Document) -> str:
    """Return the page of a training as HTML.

    Parameters
    ----------
    document : Mapping
        As ``ipusim.training`` makes it: of one training, of the costs of its programs alone, or of several methods.
    """
    runs, every = runs_of(document), _every(document)
    first = every[0] if every else None
    values = _values(document)
    data = {
        "methods": [{"method": method, **method_series(each)} for method, each in by_method(runs).items()],
        "runs": [_curves(run) for run in runs],
        "passes": values["passes"],
        "tile_sram_bytes": first["tile_sram_bytes"] if first else None,
        "equal_cycles": document["summary"]["equal_cycles"] if "summary" in document else None,
    }
    lines = [(run, line) for run in runs for line in run["log"]]
    return render_page(
        "train.html.j2",
        ("train.js", "train_run.js"),
        data,
        sections=_sections(document, runs, every),
        runs=runs,
        first=first,
        lines=lines[:MOST_ROWS],
        n_lines=len(lines),
        validation=DOCUMENTED_ERRORS,
        uncertainty=uncertainty_sentences(document),
        **values,
    )


def render_training_part(document: Document) -> str:
    """Return the figures of a training, or the table of the methods, as HTML for a notebook."""
    return render_part("train_part.html.j2", **_values(document))


def _values(document: Document) -> dict[str, Any]:
    is_comparison = "runs" in document
    rows = document["summary"]["methods"] if is_comparison else []
    return {
        "title": f"{document['workload']} on {document['chip']}: training",
        "document": document,
        "insights": training_summary(document) if is_comparison else [],
        "rows": [
            (
                row,
                accuracy_text(row["accuracy"]),
                accuracy_text(row["accuracy_at_equal_cycles"]),
                format_percent(row["density"]),
            )
            for row in rows
        ],
        "passes": _passes(_every(document)),
    }


def _every(document: Document) -> list[Document]:
    """Return the trainings of a document, executed or not."""
    return list(document.get("runs", [document]))


def _curves(run: Document) -> dict[str, Any]:
    """Return the log of a training in columns."""
    columns = {name: [line[name] for line in run["log"]] for name in _LINE}
    layers = [[name, density] for name, density in run["layer_densities"].items()]
    return {"method": run["method"], "seed": run["seed"], "layers": layers, **columns}


def _passes(runs: Sequence[Document]) -> list[dict[str, Any]]:
    """Return what each program costs, of the first training of each method."""
    return [
        {"method": method, "name": PROGRAMS.get(name, name), **cost}
        for method, each in by_method(runs).items()
        for name, cost in each[0]["programs"].items()
    ]


def _sections(document: Document, runs: Sequence[Document], every: Sequence[Document]) -> list[tuple[str, str]]:
    found = [("summary", "Summary")]
    if "runs" in document:
        found.append(("methods", "Methods"))
    if runs:
        found += [("curves", "Accuracy"), ("changes", "Connections")]
    if every:
        found.append(("passes", "Passes"))
    if runs:
        found += [("one", "One training"), ("log", "Log")]
    return [*found, ("trust", "Trust")]
