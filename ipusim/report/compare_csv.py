"""A comparison as a table for other programs: one row per simulated point."""

from __future__ import annotations

import csv
import io
from typing import Any

from ipusim.report.compare_words import Document

_NESTED = "cycles_by_phase"


def comparison_rows(document: Document) -> list[dict[str, Any]]:
    """Return the dense baselines and the cells of a comparison as flat rows, all with the same keys.

    ``compute_cycles``, ``exchange_cycles`` and ``sync_cycles`` stand in the place of the phases.
    """
    rows = []
    for cell in (*document["baselines"], *document["cells"]):
        row: dict[str, Any] = {}
        for key, value in cell.items():
            phases = {f"{phase}_cycles": cycles for phase, cycles in value.items()} if key == _NESTED else {key: value}
            row |= phases
        rows.append(row)
    return rows


def comparison_csv(document: Document) -> str:
    """Return a comparison as comma-separated values with a line of titles; what is unknown is empty."""
    rows = comparison_rows(document)
    shared = {"workload": document["workload"], "chip": document["chip"]}
    text = io.StringIO()
    writer = csv.DictWriter(text, [*shared, *rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**shared, **row} for row in rows)
    return text.getvalue()
