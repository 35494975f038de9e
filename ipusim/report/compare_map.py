"""Heat maps of speed-ups for a terminal, readable with and without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product, takewhile
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import HEADING, QUIET, columns, indented
from ipusim.report.compare_words import Document, condition_key, density_text, speedup_text, values_of, varying
from ipusim.report.numbers import UNKNOWN

_LEVELS = (
    (0.5, "░", "bright_red"),
    (1.0, "▒", "yellow"),
    (2.0, "▓", "green"),
    (float("inf"), "█", "bold bright_green"),
)
LEGEND = "░ below 0.5x   ▒ below 1x   ▓ below 2x   █ 2x and more   - no figure"
_CELL = 7
_LABEL = 9
_Column = tuple[int, float]


def block_map(cells: Sequence[Document]) -> RenderableType:
    """Return the speed-ups of cells of one condition and mode: a row per block size, a column per density."""
    found = {(cell["block_size"], cell["density"]): cell["speedup"] for cell in cells}
    densities = values_of(cells, "density")
    table = columns("right", *("right" for _ in densities))
    table.add_row(Text("block", HEADING), *(Text(density_text(density), HEADING) for density in densities))
    for block_size in values_of(cells, "block_size"):
        table.add_row(str(block_size), *(_shaded(found.get((block_size, density))) for density in densities))
    return indented(table)


def condition_maps(cells: Sequence[Document], width: int) -> list[RenderableType]:
    """Return the speed-ups of cells of one mode: a row per condition, a column per block size and density.

    Block sizes that do not fit into `width` beside the others go into further maps.
    """
    sizes, densities = values_of(cells, "block_size"), values_of(cells, "density")
    room = (width - _LABEL * len(varying(cells))) // _CELL
    per_map = max(1, room // len(densities))
    chunks = [sizes[at : at + per_map] for at in range(0, len(sizes), per_map)]
    return [indented(_condition_map(cells, list(product(chunk, densities)))) for chunk in chunks]


def condition_rows(cells: Sequence[Document]) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Yield the conditions of cells with the texts of what differs; a text like that above it is left out."""
    keys = varying(cells)
    last: list[str] = []
    for cell in {condition_key(cell): cell for cell in cells}.values():
        texts = [str(cell[key] or UNKNOWN) for key in keys]
        n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(texts[:-1], last, strict=False)))
        last = texts
        yield condition_key(cell), ["" if index < n_same else text for index, text in enumerate(texts)]


def _condition_map(cells: Sequence[Document], places: Sequence[_Column]) -> RenderableType:
    found = {(condition_key(cell), cell["block_size"], cell["density"]): cell["speedup"] for cell in cells}
    keys = varying(cells)
    table = columns(*("right" for _ in (*keys, *places)))
    table.padding = (0, 1, 0, 0)
    sizes = [f"b {size}" if not at or places[at - 1][0] != size else "" for at, (size, _) in enumerate(places)]
    table.add_row(*("" for _ in keys), *(Text(size, HEADING) for size in sizes))
    table.add_row(*(Text(key, HEADING) for key in keys), *(Text(density_text(each), HEADING) for _, each in places))
    for key, texts in condition_rows(cells):
        table.add_row(*texts, *(_shaded(found.get((key, *place)), unit="") for place in places))
    return table


def _shaded(speedup: float | None, unit: str = "x") -> Text:
    if speedup is None:
        return Text(f"{speedup_text(None)} ", QUIET)
    shade, style = next((shade, style) for limit, shade, style in _LEVELS if speedup < limit)
    return Text(f"{speedup_text(speedup).rstrip('x')}{unit}{shade}", style)
