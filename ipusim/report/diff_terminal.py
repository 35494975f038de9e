"""The difference of two results for a person at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, GOOD, HEADING, QUIET, bullets, columns, draw, heading, indented
from ipusim.report.diff import FASTER, SLOWER
from ipusim.report.numbers import (
    UNKNOWN,
    format_bytes,
    format_count,
    format_engineering,
    format_joules,
    format_percent,
    format_scaled,
    format_seconds,
)

_STYLE = {FASTER: GOOD, SLOWER: BAD}
_SHOWN = 20


def render_diff(diff: Mapping[str, Any], width: int = 80, colour: bool = False) -> str:
    """Return the difference of two results as text.

    Parameters
    ----------
    diff : Mapping
        What :func:`~ipusim.report.diff.diff_results` returns.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    """
    parts: list[RenderableType] = [
        Text.assemble(("before  ", QUIET), diff["before"], ("\nafter   ", QUIET), diff["after"]),
        heading("Summary"),
        *bullets(diff["summary"]),
    ]
    if diff["figures"]:
        parts += [heading("Figures"), indented(_figures(diff))]
    parts += [heading(diff["kind"].capitalize(), "cycles, largest change first"), indented(_parts(diff))]
    if len(diff["parts"]) > _SHOWN:
        parts.append(indented(Text(f"{len(diff['parts']) - _SHOWN} more: a page has them all (-o FILE.html)", QUIET)))
    if diff["settings"]:
        parts += [heading("What was asked for"), indented(_settings(diff))]
    return draw(parts, width, colour)


_SPECIAL: Mapping[str, Callable[[float], str]] = {
    "seconds": format_seconds,
    "energy_j": format_joules,
    "power_w": lambda value: format_engineering(float(f"{value:.3g}"), "W"),
    "tflops": lambda value: format_scaled(value * 1e12, "FLOP/s"),
}
_WORDS = {
    "seconds": "time",
    "energy_j": "energy",
    "power_w": "power",
    "tflops": "rate",
    "max_tile_bytes": "fullest tile",
}


def figure_words(name: str) -> str:
    """Return what a report calls a figure of a result."""
    return _WORDS.get(name, name.replace("_", " "))


def setting_text(value: object) -> str:
    """Return a setting as a person writes it: lists without brackets."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def figure_text(name: str, value: float | None) -> str:
    """Return a figure of a result as a person reads it."""
    if value is None:
        return UNKNOWN
    if name.endswith("_bytes"):
        return format_bytes(value)
    if name in _SPECIAL:
        return _SPECIAL[name](value)
    if "fraction" in name:
        return format_percent(value)
    return format_count(value) if isinstance(value, int) else f"{value:.4g}"


def ratio_text(before: float | None, after: float | None) -> str:
    """Return how a figure has changed: ``1.25x``."""
    return f"{after / before:.3g}x" if before and after is not None else UNKNOWN


def _figures(diff: Mapping[str, Any]) -> RenderableType:
    table = columns("left", "right", "right", "right")
    table.add_row(*(Text(title, HEADING) for title in ("", "before", "after", "ratio")))
    for name, before, after in diff["figures"]:
        ratio = ratio_text(before, after)
        table.add_row(figure_words(name), figure_text(name, before), figure_text(name, after), ratio)
    return table


def _parts(diff: Mapping[str, Any]) -> RenderableType:
    table = columns("left", "right", "right", "right", "left", "left")
    table.add_row(*(Text(title, HEADING) for title in ("name", "before", "after", "ratio", "", "")))
    for part in diff["parts"][:_SHOWN]:
        verdict = part["verdict"]
        ratio = ratio_text(part["before"], part["after"])
        plan = Text("other plan" if part["plans"] else "", QUIET)
        numbers = format_count(part["before"]), format_count(part["after"])
        table.add_row(part["name"], *numbers, ratio, Text(verdict, _STYLE.get(verdict, QUIET)), plan)
    return table


def _settings(diff: Mapping[str, Any]) -> RenderableType:
    table = columns("left", "left", "left")
    for name, before, after in diff["settings"]:
        table.add_row(Text(name, HEADING), setting_text(before), setting_text(after))
    return table
