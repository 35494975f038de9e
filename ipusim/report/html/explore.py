"""The page of an exploration, from its document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.explore_words import (
    STATUSES,
    axis_words,
    figure_text,
    figure_words,
    group_text,
    objective_words,
    parameter_name,
    value_text,
)
from ipusim.report.html.page import render_page, render_part
from ipusim.report.trust import band_sentence, band_text, exploration_uncertainty
from ipusim.report.validation_words import DOCUMENTED_ERRORS

Document = Mapping[str, Any]

MOST_ROWS = 1000
"""Of a larger Pareto front, the table shows the first points; the plots have all."""

_SECTIONS = [
    ("summary", "Summary"),
    ("front", "Pareto front"),
    ("parallel", "Parallel coordinates"),
    ("points", "Points"),
    ("effects", "What matters"),
    ("reasons", "What does not run"),
    ("trust", "Trust"),
]


def render_exploration_page(document: Document) -> str:
    """Return the page of an exploration as HTML.

    Parameters
    ----------
    document : Mapping
        ``Exploration.to_dict()``.
    """
    objectives = [each.partition(":")[0] for each in document["objectives"]]
    parameters = [*document["parameters"], *document["derived"]]
    front = document["pareto"]
    data = {
        "objectives": [{"key": name, "label": figure_words(name), "axis": axis_words(name)} for name in objectives],
        "parameters": [{"key": name, "label": parameter_name(name)} for name in parameters],
        "front": [_point(point, parameters, objectives) for point in front],
        "cloud": document["cloud"],
        "bands": document.get("cloud_bands", []),
        "effects": [
            {"objective": figure_words(objective.partition(":")[0]), "effects": _effects(effects)}
            for objective, effects in document["sensitivity"].items()
        ],
    }
    return render_page(
        "explore.html.j2",
        ("explore.js",),
        data,
        title=f"{document['space']} on {document['chip']}",
        sections=_SECTIONS,
        document=document,
        columns=[*(item["label"] for item in data["parameters"]), *(item["label"] for item in data["objectives"])],
        counts=_counts(document),
        reasons=[{**each, "status": STATUSES[each["status"]]} for each in document["reasons"]],
        wanted=[objective_words(each) for each in document["objectives"]],
        rows=data["front"][:MOST_ROWS],
        effects=data["effects"],
        validation=DOCUMENTED_ERRORS,
        uncertainty=exploration_uncertainty(document),
        prices=[
            (price["constraint"], _words(price["best_without"], parameters, objectives)) for price in _prices(document)
        ],
    )


def render_exploration_part(document: Document) -> str:
    """Return the answers and the first points of the front of an exploration as HTML for a notebook."""
    objectives = [each.partition(":")[0] for each in document["objectives"]]
    parameters = [*document["parameters"], *document["derived"]]
    columns = [*map(parameter_name, parameters), *map(figure_words, objectives)]
    points = [_point(point, parameters, objectives) for point in document["pareto"]]
    rows = [[*shown["texts"], shown["band"]] for shown in points]
    columns.append("model error")
    return render_part("explore_part.html.j2", document=document, counts=_counts(document), columns=columns, rows=rows)


def _counts(document: Document) -> list[tuple[str, int]]:
    return [(STATUSES[status], points) for status, points in document["counts"].items() if points]


def _prices(document: Document) -> list[Mapping[str, Any]]:
    return list(document["price_of_constraints"])


def _point(point: Document, parameters: list[str], objectives: list[str]) -> dict[str, Any]:
    """Return a point with its values and their texts, parameters first."""
    values = [point["parameters"].get(name) for name in parameters]
    figures = [point["figures"].get(name) for name in objectives]
    texts = [value_text(name, value) for name, value in zip(parameters, values, strict=True)]
    texts += [figure_text(name, value) for name, value in zip(objectives, figures, strict=True)]
    found = point.get("uncertainty")
    return {
        "position": point["position"],
        "values": [*values, *figures],
        "texts": texts,
        "band": band_text(found),
        "error": found and found["mean_error"],
        "trust": f"Error of the cycles: {band_sentence(found)}." if found else "",
    }


def _words(point: Document, parameters: list[str], objectives: list[str]) -> str:
    names = [*map(parameter_name, parameters), *map(figure_words, objectives)]
    texts = _point(point, parameters, objectives)["texts"]
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def _effects(effects: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **effect,
            "name": parameter_name(effect["parameter"]),
            **{end: group_text(effect["parameter"], effect[end]) for end in ("best", "worst")},
        }
        for effect in effects
    ]
