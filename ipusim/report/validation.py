"""A validation for a person at a terminal: the error table, what is weak, and the fitted constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import BAD, GOOD, HEADING, QUIET, bullets, columns, draw, heading, indented, sentence
from ipusim.report.numbers import UNKNOWN

Document = Mapping[str, Any]

LEGEND = (
    "error: geometric mean of the factors by which predictions are off, less 1; bias: of the signed ones; side: "
    "speed-ups on the right side of 1; fits: right about memory."
)


def render_validation(document: Document, width: int = 80, colour: bool = False, with_points: bool = False) -> str:
    """Return the report of a validation.

    Parameters
    ----------
    document : Mapping
        ``Validation.to_dict()``.
    width : int
        Columns of the terminal.
    colour : bool
        Whether to use colours and styles.
    with_points : bool
        List every measured point, too.
    """
    title = f"ipusim against {document['n_points']} published measurements on {document['chip']}"
    parts: list[RenderableType] = [Text(title, "bold cyan"), Text("")]
    if settings := document["options"]["settings"]:
        parts += [sentence(f"with {', '.join(settings)}", BAD), Text("")]
    parts += [_table(document["sources"]), Text("")]
    parts.append(sentence(LEGEND, QUIET))
    parts += _constants(document["fitted_constants"])
    parts += [heading("Sources"), *bullets(map(source_line, document["sources"]))]
    if with_points:
        for source in document["sources"]:
            parts += [heading(source["title"], source["citation"]), indented(_points(source))]
    return draw([*parts, *_verdict(document)], width, colour)


def _table(sources: list[Document]) -> RenderableType:
    table = columns("left", "right", "right", "right", "right", "right", "right", "left")
    table.padding = (0, 1, 0, 0)
    titles = ("source", "points", "bias", "error", "worst", "side", "fits", "band")
    table.add_row(*(Text(title, HEADING) for title in titles))
    for source in sources:
        n = source["n_points"]
        table.add_row(
            source["name"],
            str(n),
            f"{source['bias']:+.1%}",
            f"{source['mean_error']:.1%}",
            UNKNOWN if source["worst_error"] is None else f"{source['worst_error']:.0%}",
            "" if source["right_side"] is None else f"{source['right_side']:.0%}",
            f"{n - len(source['misfits'])}/{n}",
            Text("left", BAD) if source["problems"] else Text("kept", GOOD),
        )
    return table


def _constants(constants: list[Document]) -> list[RenderableType]:
    if not constants:
        return []
    return [heading("Fitted constants"), *bullets(map(constant_line, constants))]


def constant_line(constant: Document) -> str:
    """Return what is known of a fitted constant in a sentence or two."""
    return (
        f"{constant['name']} = {constant['packaged']:g} {constant['unit']}, {constant['meaning']}. Fitted to "
        f"{constant['n_points']} points of {constant['source']}: best {constant['best']:g}, error "
        f"{constant['fitted_error']:.1%}; {constant['held_out_error']:.1%} on series held out of the fit."
    )


def source_line(source: Document) -> str:
    """Return what a source is, and where the model is weak on it."""
    text = f"{source['name']}: {source['title']} ({source['citation']})."
    if source["worst_point"]:
        text += f" Furthest off: {source['worst_point']}."
    text += f" Weak: {source['weak']}." if source["weak"] else ""
    return text + (f" {source['note']}" if source["note"] else "")


def _points(source: Document) -> RenderableType:
    table = columns("left", "right", "right", "right")
    table.add_row(*(Text(title, HEADING) for title in ("point", "measured", "predicted", "ratio")))
    for point in source["points"]:
        values = (point["measured"], point["predicted"])
        texts = ["does not fit" if value is None else f"{value:.4g}" for value in values]
        table.add_row(point["label"], *texts, UNKNOWN if point["ratio"] is None else f"{point['ratio']:.3f}")
    return table


def _verdict(document: Document) -> list[RenderableType]:
    if document["passed"]:
        return [Text(""), Text("Every documented band is kept.", GOOD)]
    troubled = [each for each in (*document["sources"], *document["fitted_constants"]) if each["problems"]]
    lines = [f"{each['name']}: {'; '.join(each['problems'])}" for each in troubled]
    return [heading("Bands that are left"), *bullets(lines)]
