"""Precision beside sparsity: one table over the number formats of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import GOOD, HEADING, QUIET, columns, heading, indented, sentence
from ipusim.report.compare_words import Document, density_text, speedup_text, values_of
from ipusim.report.numbers import UNKNOWN, format_bytes, format_count, format_joules

TITLES = ("format", "density", "cycles", "speed-up", "tile", "energy", "max err", "rms err")

_WITHOUT = {"infeasible": "no fit", "bad_input": "none", "failed": "failed", "not_run": "not run"}


def precision_table(document: Document) -> list[RenderableType]:
    """Return a table of the formats, dense and with the fastest block size of each mode and density.

    Empty unless there are several formats, or errors were measured. Of several batches or features the first is shown.
    """
    rows = precision_rows(document)
    if not rows:
        return []
    table = columns("left", *("right" for _ in range(7)))
    table.padding = (0, 1, 0, 0)
    table.add_row(*(Text(title, HEADING) for title in TITLES))
    for row in rows:
        *texts, faster, tile, energy, largest, mean = row
        style = GOOD if faster.endswith("x") and float(faster[:-1].replace(",", "")) > 1 else ""
        table.add_row(*texts, Text(faster, style), tile, energy, largest, mean)
    measured = any(cell.get("rms_relative_error") is not None for cell in document["baselines"])
    notes = "speed-up: over dense float16; errors of the outputs against float64, relative to their size"
    if not measured:
        notes = "speed-up: over dense float16; --execute measures the errors against float64"
    return [heading("Precision"), indented(table), indented(sentence(notes, QUIET))]


def precision_rows(document: Document) -> list[tuple[str, ...]]:
    """Return the rows of the table under :data:`TITLES`, as texts; see :func:`precision_table`."""
    baselines = document["baselines"]
    measured = any(cell.get("rms_relative_error") is not None for cell in baselines)
    if not baselines or (len(values_of(baselines, "dtype")) < 2 and not measured):
        return []
    place = {key: baselines[0][key] for key in ("features", "batch")}
    rows = []
    for dtype in values_of(baselines, "dtype"):
        same = place | {"dtype": dtype}
        dense = [cell for cell in baselines if _matches(cell, same)]
        sparse = [cell for cell in document["cells"] if _matches(cell, same)]
        rows += [_row(cell) for cell in (*dense, *_fastest(sparse))]
    return rows


def _matches(cell: Document, wanted: Document) -> bool:
    return all(cell[key] == value for key, value in wanted.items())


def _fastest(cells: Sequence[Document]) -> list[Document]:
    """Return the quickest cell of each mode and density; one without figures where none has any."""
    found: dict[tuple[str, float], Document] = {}
    for cell in cells:
        key = cell["mode"], cell["density"]
        best = found.get(key)
        if best is None or (cell["cycles"] or float("inf")) < (best["cycles"] or float("inf")):
            found[key] = cell
    return list(found.values())


def _row(cell: Document) -> tuple[str, ...]:
    name = cell["dtype"] if cell["mode"] == "dense" else f"  {cell['mode']}, b {cell['block_size']}"
    density = "dense" if cell["mode"] == "dense" else density_text(cell["density"])
    if cell["cycles"] is None:
        return name, density, _WITHOUT[cell["status"]], UNKNOWN, "", "", "", ""
    return (
        name,
        density,
        format_count(cell["cycles"]),
        speedup_text(cell.get("speedup_over_float16")),
        format_bytes(cell["max_tile_bytes"]),
        format_joules(cell["energy_j"]),
        _error(cell.get("max_relative_error")),
        _error(cell.get("rms_relative_error")),
    )


def _error(error: float | None) -> str:
    return UNKNOWN if error is None else f"{error:.1e}"
