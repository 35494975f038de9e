"""What a comparison of training methods comes to, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.numbers import UNKNOWN, format_percent, format_scaled

Document = Mapping[str, Any]

PROGRAMS = {
    "step": "training step",
    "accumulate": "accumulating pass",
    "dense_gradients": "dense gradients",
    "forward": "forward pass",
}
"""Programs of a training, and what they are called."""

_SAME = 0.0005
"""Accuracies closer than this, a twentieth of a point, are called equal."""


def accuracy_text(spread: Document | None) -> str:
    """Return an accuracy in percent, with the standard deviation over the seeds: ``92.5 ± 0.4``."""
    if spread is None:
        return UNKNOWN
    deviation = "" if spread["std"] is None else f" ± {100 * spread['std']:.1f}"
    return f"{100 * spread['mean']:.1f}{deviation}"


def training_summary(document: Document) -> list[str]:
    """Return what a comparison of methods comes to: the best one, and each sparse one against dense.

    Parameters
    ----------
    document : Mapping
        As ``ipusim.training.comparing.compare_methods`` returns it.
    """
    summary = document["summary"]
    rows = summary["methods"]
    lines = [f"{reason}." if not reason.endswith(".") else reason for reason in document["infeasible"].values()]
    if not rows:
        return [*lines, "No training has been finished."]
    best = max(rows, key=lambda row: row["accuracy"]["mean"])
    steps = f"{summary['steps']:,} steps"
    if len(rows) > 1:
        lines.append(f"After {steps}, {best['method']} is the most accurate: {accuracy_text(best['accuracy'])} %.")
    dense = next((row for row in rows if row["method"] == "dense"), None)
    if dense is not None:
        lines += [_against(row, dense, steps, summary["equal_cycles"]) for row in rows if row is not dense]
    return lines


def _against(row: Document, dense: Document, steps: str, budget: int) -> str:
    """Return what a sparse method reaches and costs, against dense."""
    flops, cycles = format_percent(row["training_flops_of_dense"]), format_percent(row["cycles_of_dense"])
    text = (
        f"{row['method']}: {_difference(row['accuracy'], dense['accuracy'])} after {steps}, with {flops} of the "
        f"training FLOPs and {cycles} of the cycles"
    )
    pair = row["accuracy_at_equal_cycles"], dense["accuracy_at_equal_cycles"]
    if None in pair:
        return f"{text}."
    return f"{text}; at equal cycles ({format_scaled(budget, '')}) {_difference(*pair)}."


def _difference(spread: Document, dense: Document) -> str:
    points = spread["mean"] - dense["mean"]
    if abs(points) < _SAME:
        return "as accurate as dense"
    return f"{100 * abs(points):.1f} points {'above' if points > 0 else 'below'} dense"
