"""A comparison as a table for other programs: one row per simulated point."""

from __future__ import annotations

import csv
import io
from typing import Any

from ipusim.report.compare_words import Document

_NESTED = {"cycles_by_phase": "{}_cycles", "energy": "{}_energy_j"}
"""Keys with several figures, and the titles of their columns."""


def comparison_rows(document: Document) -> list[dict[str, Any]]:
    """Return the dense baselines and the cells of a comparison as flat rows, all with the same keys.

    Phases and components of the energy have a column each, such as ``compute_cycles`` and ``static_energy_j``.
    """
    rows = []
    for cell in (*document["baselines"], *document["cells"]):
        row: dict[str, Any] = {}
        for key, value in cell.items():
            title = _NESTED.get(key)
            row |= {title.format(name): part for name, part in value.items()} if title else {key: value}
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
