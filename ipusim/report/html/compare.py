"""The page of a comparison of dense with sparse, from its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.compare_precision import TITLES, precision_rows
from ipusim.report.compare_words import by_condition, condition_key, condition_text, density_text
from ipusim.report.html.page import render_page, render_part
from ipusim.report.trust import comparison_uncertainty
from ipusim.report.validation_words import DOCUMENTED_ERRORS

Document = Mapping[str, Any]

MOST_ROWS = 3000
"""Of more cells, the table shows the first; the plots have all."""

_STATUS = {"infeasible": "does not fit", "bad_input": "bad input", "failed": "failed", "not_run": "not run"}


def render_comparison_page(document: Document) -> str:
    """Return the page of a comparison as HTML.

    Parameters
    ----------
    document : Mapping
        ``Comparison.to_dict()``.
    """
    conditions = list(by_condition(document["baselines"]))
    place = {key: index for index, key in enumerate(conditions)}
    cells = [{**cell, "condition": place[condition_key(cell)]} for cell in document["cells"]]
    data = {
        "conditions": [condition_text(baseline) for baseline in document["baselines"]],
        "densities": {str(cell["density"]): density_text(cell["density"]) for cell in cells},
        "baselines": document["baselines"],
        "cells": cells,
        "break_even": [{**even, "condition": place[condition_key(even)]} for even in document["break_even"]],
    }
    rows = [(index, cell, _status(cell)) for index, cell in enumerate(cells[:MOST_ROWS])]
    return render_page(
        "compare.html.j2",
        ("compare.js", "compare_plots.js"),
        data,
        title=f"{document['workload']} on {document['chip']}: dense against sparse",
        sections=_SECTIONS,
        document=document,
        conditions=data["conditions"],
        rows=rows,
        n_cells=len(cells),
        precision=precision_rows(document),
        precision_titles=TITLES,
        has_energy=any(cell["energy_j"] is not None for cell in (*document["baselines"], *cells)),
        validation=DOCUMENTED_ERRORS,
        uncertainty=comparison_uncertainty(document),
    )


def render_comparison_part(document: Document) -> str:
    """Return the summary and the cells of a comparison as HTML for a notebook."""
    rows = [(cell, condition_text(cell), _status(cell)) for cell in (*document["baselines"], *document["cells"])]
    return render_part("compare_part.html.j2", document=document, rows=rows)


_SECTIONS = [
    ("summary", "Summary"),
    ("maps", "Maps"),
    ("curves", "Curves"),
    ("cell", "One cell"),
    ("cells", "All cells"),
    ("trust", "Trust"),
]


def _status(cell: Document) -> str:
    if cell["status"] == "ok":
        return "ok"
    text = _STATUS.get(cell["status"], str(cell["status"]))
    return f"{text}: {cell['reason']}" if cell["reason"] else text
