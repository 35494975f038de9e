"""The page of a validation, from its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.html.page import render_page, render_part
from ipusim.report.validation import LEGEND, constant_line, source_line

_SECTIONS = [
    ("summary", "Summary"),
    ("against", "Predicted against measured"),
    ("points", "Points"),
    ("constants", "Fitted constants"),
]


def render_validation_page(document: Mapping[str, Any]) -> str:
    """Return the page of a validation as HTML.

    Parameters
    ----------
    document : Mapping
        ``Validation.to_dict()``.
    """
    sources = document["sources"]
    data = [
        {
            "title": source["title"],
            "quantity": f"{source['quantity']}, {source['unit']}"
            if source["unit"] not in ("", source["quantity"])
            else source["quantity"],
            "points": [
                {"label": point["label"], "measured": point["measured"], "predicted": point["predicted"]}
                for point in source["points"]
                if point["measured"] is not None and point["predicted"] is not None
            ],
        }
        for source in sources
    ]
    return render_page(
        "validation.html.j2",
        ("validation.js",),
        data,
        title=f"ipusim against published measurements on {document['chip']}",
        sections=_SECTIONS,
        document=document,
        legend=LEGEND,
        lines=[source_line(source) for source in sources],
        constants=[constant_line(constant) for constant in document["fitted_constants"]],
        problems=_problems(document),
    )


def render_validation_part(document: Mapping[str, Any]) -> str:
    """Return the table of errors of a validation as HTML for a notebook."""
    return render_part("validation_part.html.j2", document=document, legend=LEGEND, problems=_problems(document))


def _problems(document: Mapping[str, Any]) -> list[str]:
    troubled = (*document["sources"], *document["fitted_constants"])
    return [f"{each['name']}: {problem}" for each in troubled for problem in each["problems"]]
