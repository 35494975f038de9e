"""What a training has reached and what it costs on the chip, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, draw, heading, indented, sentence
from ipusim.report.numbers import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_scaled,
    format_seconds,
)

Document = Mapping[str, Any]

_TITLES = {"step": "training step", "dense_gradients": "dense gradients", "forward": "forward pass"}


def render_training(document: Document, width: int = 80, colour: bool = False) -> str:
    """Return the report of one training, or of the costs of its programs.

    Parameters
    ----------
    document : Mapping
        As ``ipusim.training.train.train`` returns it.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    title = f"{document['workload']} on {document['chip']}"
    what = f"{document['method']}, {document['steps']:,} steps of {document['batch']}, seed {document['seed']}"
    weights = f"{document['n_weights']:,} weights and biases, {format_percent(document['density'])} kept"
    parts: list[RenderableType] = [Text.assemble((title, HEADING), "  ", what), sentence(weights, QUIET)]
    if document["trained"]:
        parts += [heading("Training"), indented(_reached(document["trained"]))]
    parts += [heading("Programs", "one run each"), indented(_programs(document["programs"]))]
    if document["pattern_update_s"]:
        parts += [heading("Change of the connections"), *_topology(document)]
    return draw(parts, width, colour)


def render_methods(document: Document, width: int = 80, colour: bool = False) -> str:
    """Return the table of several methods: mean and standard deviation over the seeds."""
    runs: dict[str, list[Document]] = {}
    for run in document["runs"]:
        runs.setdefault(run["method"], []).append(run)
    n_seeds = max(len(each) for each in runs.values())
    first = document["runs"][0]
    head = f"{document['workload']} on {document['chip']}"
    note = f"{first['steps']:,} steps of {first['batch']}, {n_seeds} seed{'s' if n_seeds > 1 else ''}"
    table = columns("left", *["right"] * 7)
    table.add_row("method", "accuracy, %", "kept", "train", "test", "cycles", "a step", "tile", style=QUIET)
    for method, each in runs.items():
        table.add_row(method, *_method_row(each))
    closing = (
        "Accuracy: mean and standard deviation over the seeds. Train and test: useful FLOPs of the training and of a "
        "forward pass. Cycles: of the training, and of a step. Tile: bytes on the fullest one."
    )
    return draw(
        [Text.assemble((head, HEADING), "  ", note), heading("Methods"), indented(table), sentence(closing)],
        width,
        colour,
    )


def _method_row(runs: Sequence[Document]) -> tuple[str, ...]:
    accuracies = [100 * run["trained"]["accuracy"] for run in runs]
    spread = f" ± {stdev(accuracies):.1f}" if len(runs) > 1 else ""
    programs = [run["programs"] for run in runs]
    return (
        f"{fmean(accuracies):.1f}{spread}",
        format_percent(runs[0]["density"]),
        format_scaled(fmean(run["trained"]["flops"] for run in runs), ""),
        format_scaled(fmean(each["forward"]["flops"] for each in programs), ""),
        format_scaled(fmean(run["trained"]["cycles"] for run in runs), ""),
        format_count(fmean(each["step"]["cycles"] for each in programs)),
        format_bytes(max(part["max_tile_bytes"] for each in programs for part in each.values())),
    )


def _reached(line: Document) -> RenderableType:
    table = columns("left", "left")
    table.add_row("accuracy", f"{format_percent(line['accuracy'])} of the test images, loss {line['loss']:.3g}")
    table.add_row("arithmetic", format_scaled(line["flops"], "FLOP"))
    table.add_row("on the chip", f"{format_count(line['cycles'])} cycles, {format_seconds(line['seconds'])}")
    table.add_row("energy", format_joules(line["energy_j"]))
    table.add_row("connections", f"{format_count(line['connections_changed'])} changed")
    return table


def _programs(programs: Document) -> RenderableType:
    table = columns("left", *["right"] * 7)
    table.add_row("", "cycles", "compute", "exchange", "sync", "FLOPs", "energy", "tile", style=QUIET)
    for name, cost in programs.items():
        phases = (format_scaled(cost["cycles_by_phase"][phase], "") for phase in ("compute", "exchange", "sync"))
        figures = (format_scaled(cost["flops"], ""), format_joules(cost["energy_j"]))
        table.add_row(
            _TITLES[name], format_count(cost["cycles"]), *phases, *figures, format_bytes(cost["max_tile_bytes"])
        )
    return table


def _topology(document: Document) -> list[RenderableType]:
    share = format_percent(document["topology_share"])
    text = (
        f"Placing the connections on the host and sending them takes {format_seconds(document['pattern_update_s'])}; "
        f"with that, changing them is {share} of the time of the steps from one change to the next."
    )
    return [indented(sentence(text))]
