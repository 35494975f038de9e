"""What a training has reached and what it costs on the chip, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, HEADING, QUIET, bullets, columns, draw, heading, indented, sentence
from ipusim.report.numbers import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_scaled,
    format_seconds,
)
from ipusim.report.training_words import PROGRAMS, accuracy_text, training_summary
from ipusim.report.trust import limit_parts, uncertainty_sentences

Document = Mapping[str, Any]


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
    return draw([*parts, *limit_parts(document, uncertainty_sentences(document))], width, colour)


def render_methods(document: Document, width: int = 80, colour: bool = False) -> str:
    """Return the table of several methods, means over the seeds, and what it comes to.

    Parameters
    ----------
    document : Mapping
        As ``ipusim.training.comparing.compare_methods`` returns it.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    summary = document["summary"]
    seeds = len(document["seeds"])
    title = f"{document['workload']} on {document['chip']}"
    note = f"{summary['steps']:,} steps, {seeds} seed{'s' if seeds != 1 else ''}"
    parts: list[RenderableType] = [Text.assemble((title, HEADING), "  ", note)]
    if document["interrupted"]:
        parts.append(Text(f"INTERRUPTED: {document['not_run']} trainings were not run", BAD))
    if summary["methods"]:
        parts += [heading("Methods"), indented(_methods(summary["methods"])), sentence(_LEGEND, QUIET)]
    parts += [heading("In short"), *bullets(training_summary(document))]
    return draw([*parts, *limit_parts(document)], width, colour)


_LEGEND = (
    "Means over the seeds. Accuracy in percent, with its standard deviation; at equal cycles: those of the cheapest "
    "training, while those of the others are under way. Train, test: useful FLOPs of the training and of a forward "
    "pass. Cycles: of the training. Tile: bytes on the fullest one."
)


def _methods(rows: Sequence[Document]) -> RenderableType:
    table = columns("left", *["right"] * 8)
    table.padding = (0, 1, 0, 0)
    table.add_row("method", "accuracy", "at equal c.", "kept", "train", "test", "cycles", "a step", "tile", style=QUIET)
    for row in rows:
        table.add_row(
            row["method"],
            accuracy_text(row["accuracy"]),
            accuracy_text(row["accuracy_at_equal_cycles"]),
            format_percent(row["density"]),
            format_scaled(row["training_flops"], ""),
            format_scaled(row["inference_flops"], ""),
            format_scaled(row["cycles"], ""),
            format_count(row["cycles_per_step"]),
            format_bytes(row["max_tile_bytes"]),
        )
    return table


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
            PROGRAMS[name], format_count(cost["cycles"]), *phases, *figures, format_bytes(cost["max_tile_bytes"])
        )
    return table


def _topology(document: Document) -> list[RenderableType]:
    share = format_percent(document["topology_share"])
    text = (
        f"Placing the connections on the host and sending them takes {format_seconds(document['pattern_update_s'])}; "
        f"with that, changing them is {share} of the time of the steps from one change to the next."
    )
    return [indented(sentence(text))]
