"""What operators decided together, beside what each would have done alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, draw, indented
from ipusim.report.numbers import format_bytes, format_count, format_percent

SHOWN = 16
"""Most entries of each list."""


def render_layout(summary: Mapping[str, Any], width: int = 80, colour: bool = False) -> str:
    """Return the choices of a layout, the changes of mapping that are left, and those that it saved.

    Parameters
    ----------
    summary : Mapping
        As :func:`ipusim.layout.summary.summarise` gives it.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    before, after, steps = summary["greedy_cycles"], summary["cycles"], summary["supersteps"]
    if not summary["packed"]:
        text = "Every operator is laid out on its own: nothing that they could decide together is quicker."
        return draw([Text("Layout between operators", HEADING), indented(Text(text))], width, colour)
    head = (
        f"{format_count(after)} cycles in {format_count(steps['network'])} supersteps; each operator on its own takes "
        f"{format_count(before)} in {format_count(steps['greedy'])}: {format_percent(1 - after / before)} fewer. "
        f"Supersteps with work of several operators: {format_count(steps['shared'])}."
    )
    parts: list[RenderableType] = [Text("Layout between operators", HEADING), indented(Text(head))]
    if summary["choices"]:
        parts += [Text(""), indented(_choices(summary["choices"]))]
    for title, moves in (("rearranged", summary["rearranged"]), ("no longer rearranged", summary["saved"])):
        if moves:
            parts += [Text(""), indented(_moves(title, moves))]
    return draw(parts, width, colour)


def _choices(choices: Mapping[str, str]) -> RenderableType:
    table = columns("left", "left")
    table.add_row(Text("operator", HEADING), Text("otherwise than alone", HEADING))
    for name, words in list(choices.items())[:SHOWN]:
        table.add_row(name, words)
    if len(choices) > SHOWN:
        table.add_row(Text(f"and {len(choices) - SHOWN} more", QUIET), "")
    return table


def _moves(title: str, moves: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = columns("left", "left", "right", "right")
    table.add_row(*(Text(text, HEADING) for text in (title, "for", "bytes", "cycles")))
    for move in moves[:SHOWN]:
        table.add_row(move["tensor"], move["op"], format_bytes(move["bytes"]), format_count(move["cycles"]))
    rest = moves[SHOWN:]
    if rest:
        n_bytes, cycles = (sum(move[key] for move in rest) for key in ("bytes", "cycles"))
        table.add_row(Text(f"and {len(rest)} more", QUIET), "", format_bytes(n_bytes), format_count(cycles))
    return table
