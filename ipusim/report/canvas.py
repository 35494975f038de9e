"""Drawing with rich into a string: the same words with and without colour, at any width."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

HEADING = "bold"
QUIET = "dim"
GOOD = "bold green"
BAD = "bold red"

_NO_ENVIRONMENT: dict[str, str] = {}
_NO_BREAK = "\ue000"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|[KMGT]iB|B|[mun]?s|[kMGTP]?FLOP/s)(?!\w))")


def draw(parts: Iterable[RenderableType], width: int = 80, colour: bool = False) -> str:
    """Return `parts`, one below the other, as text of at most `width` columns.

    Parameters
    ----------
    parts : iterable of rich renderables
    width : int
        Columns; long texts are wrapped.
    colour : bool
        Whether to use the terminal's colours and styles. Without, the text is plain.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ=_NO_ENVIRONMENT,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().replace(_NO_BREAK, " ").splitlines())


def sentence(text: str, style: str = "") -> Text:
    """Return running text, in which no line ends between a number and its unit."""
    return Text(_BEFORE_UNIT.sub(_NO_BREAK, text), style)


def heading(title: str, note: str = "") -> RenderableType:
    """Return the title of a section, after an empty line."""
    return Text.assemble("\n", (title, HEADING), (f"  {note}" if note else "", QUIET))


def indented(part: RenderableType, by: int = 2) -> RenderableType:
    """Return `part` moved to the right."""
    return Padding(part, (0, 0, 0, by))


def bullets(lines: Iterable[str]) -> list[RenderableType]:
    """Return one wrapped, indented paragraph per line."""
    return [indented(_hanging("-", line)) for line in lines]


def columns(*justify: str) -> Table:
    """Return an empty table without lines; `justify` gives ``left`` or ``right`` for each column."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, collapse_padding=True)
    for side in justify:
        table.add_column(justify="right" if side == "right" else "left", overflow="fold")
    return table


def elided(text: str, most: int) -> str:
    """Return `text` in at most so many characters: without its middle, which says least of dotted names."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def bar(fraction: float, width: int, style: str) -> Text:
    """Return a bar of `width` columns filled to `fraction` (0 to 1)."""
    filled = round(max(0.0, min(1.0, fraction)) * width)
    if fraction > 0 and filled == 0:
        filled = 1
    return Text.assemble(("█" * filled, style), ("░" * (width - filled), QUIET))


def _hanging(mark: str, line: str) -> Table:
    table = columns("left", "left")
    table.padding = (0, 1, 0, 0)
    table.add_row(mark, sentence(line))
    return table
