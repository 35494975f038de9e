"""How far to trust a result: its uncertainty, what was not modelled, what is assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import QUIET, sentence
from ipusim.report.numbers import UNKNOWN, format_percent

Document = Mapping[str, Any]

_MOST_REASONS = 3

_MOST_WORDS = 2


def limit_parts(document: Document, uncertainty: Sequence[str] = ()) -> list[RenderableType]:
    """Return, after an empty line, sentences about the uncertainty, what is not modelled, and assumed constants."""
    missing = document.get("not_modelled") or ()
    assumed = document.get("assumed_constants")
    lines = [*uncertainty]
    lines += [f"Not modelled: {'; '.join(missing)}."] if missing else []
    if assumed is not None:
        lines.append(f"The result rests on {assumed} assumed constants (ipusim chips show {document['chip']}).")
    return [Text(""), *(sentence(line, QUIET) for line in lines)] if lines else []


def uncertainty_sentences(document: Document) -> list[str]:
    """Return how far off the cycles of a run or of a training step may be; nothing where the document does not say."""
    found = document.get("uncertainty")
    return [f"Uncertainty: {_errors(found, _of_cycles(found))}."] if found else []


def comparison_uncertainty(document: Document) -> list[str]:
    """Return how far off the cells of a comparison may be, for each mode."""
    return [
        f"Uncertainty, {each['mode']}: {_errors(each, _of_cells(each))}." for each in document.get("uncertainty", ())
    ]


def exploration_uncertainty(document: Document) -> list[str]:
    """Return how far off the points of a space may be."""
    found = document.get("uncertainty")
    if not found or not found["points"]:
        return []
    return [f"Uncertainty: {_errors(found, _of_points(found))}."]


def band_text(found: Document | None) -> str:
    """Return how far off a result may be, as a cell of a table: ``±3 %``, ``±3 % of 96 %`` or ``outside: chip``.

    ``of 96 %`` is the share of the cycles that the error is known of.
    """
    if found is None:
        return UNKNOWN
    if found["mean_error"] is None:
        words = list(found["outside_words"])
        more = ", ..." if len(words) > _MOST_WORDS else ""
        return f"outside: {', '.join(words[:_MOST_WORDS])}{more}"
    text = f"±{100 * found['mean_error']:.2g} %"
    return f"{text} of {100 * found['validated_share']:.0f} %" if found["outside"] else text


def cell_band(cell: Document) -> str:
    """Return how far off a cell of a comparison may be, as :func:`band_text` does; ``part``: part of its cycles."""
    words = cell.get("model_outside")
    if words is None:
        return UNKNOWN
    if cell["model_mean_error"] is None:
        return band_text({"mean_error": None, "outside_words": words.split(", ")})
    return f"±{100 * cell['model_mean_error']:.2g} %{' part' if words else ''}"


def band_sentence(found: Document) -> str:
    """Return how far off a single result may be, in words."""
    text = _errors(found, _of_cycles(found))
    if found["mean_error"] is not None or found["kind_error"] is None:
        return text
    return f"{text}; such products were {100 * found['kind_error']:.2g} % off on average where they were measured"


def _errors(found: Document, scope: str) -> str:
    outside = "; ".join(found["outside"][:_MOST_REASONS])
    if found["mean_error"] is None:
        return f"not known, for {outside}"
    text = f"{format_percent(found['mean_error'])} on average and {format_percent(found['worst_error'])} at most"
    text += ", as far as such products were measured"
    return f"{text}, {scope}; of the others: {outside}" if outside else f"{text} (ipusim validate)"


def _of_cycles(found: Document) -> str:
    return f"for {format_percent(found['validated_share'])} of the cycles"


def _of_points(found: Document) -> str:
    return f"in {found['validated_points']:,} of {found['points']:,} points"


def _of_cells(found: Document) -> str:
    return f"in {found['validated_cells']} of {found['cells']} cells"
