"""Figures as text and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.history import Change, kind_of

BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"


def number(value: float) -> str:
    """Return a figure in three digits or, of large ones, without a fraction."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def text_table(bench: str, about: str, figures: Mapping[str, float]) -> str:
    """Return the figures of a bench for a terminal of 80 columns."""
    return "\n".join([f"{bench}: {about}", *(f"  {label:60} {number(value):>14}" for label, value in figures.items())])


def markdown_table(document: Mapping[str, Any], about: Mapping[str, str]) -> str:
    """Return all figures as one Markdown table, with a line about the machine."""
    machine = document["machine"]
    run = f"One run of {document['clock_s'] / 60:.0f} minutes" if "clock_s" in document else "One run"
    lines = [
        f"{run} on {machine['cores']} cores ({machine['architecture']}, Python {machine['python']}), calibration"
        f" {document['calibration_s']:.3f} s. Seconds are CPU seconds of one thread unless it says otherwise.",
        "",
        "| what | speed | memory and sizes |",
        "|---|---|---|",
    ]
    for bench, figures in document["figures"].items():
        cells: dict[bool, list[str]] = {False: [], True: []}
        for label, value in figures.items():
            cells[kind_of(label) == "size"].append(f"{label}: {number(value)}")
        what = " ".join(about.get(bench, bench).split())
        lines.append(f"| {what} | {'<br>'.join(cells[False])} | {'<br>'.join(cells[True])} |")
    lines += [f"\n{bench} was skipped: {why}" for bench, why in document.get("skipped", {}).items()]
    return "\n".join(lines)


def changes_table(changes: Sequence[Change], slower: float) -> str:
    """Return what has changed since earlier figures, for a terminal."""
    lines = [
        f"Against earlier figures (this machine takes {slower:.2f} times as long as that one did for the same work):"
    ]
    lines += [f"  {'':48} {'before':>9} {'now':>9} {'better':>8}"]
    bench = ""
    for change in changes:
        if change.bench != bench:
            bench = change.bench
            lines.append(bench)
        better = "" if change.better is None else f"{change.better:.2f}x"
        lines.append(f"  {change.label[:48]:48} {number(change.before):>9} {number(change.now):>9} {better:>8}")
    return "\n".join(lines)


def with_table(page: str, table: str) -> str:
    """Return a page with another table between its marks.

    Raises
    ------
    ValueError
        Where the marks are missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN!r} and {END!r} around a table")
    return before + begin + table + "\n" + end + after
