"""How far to trust a result: its uncertainty, what was not modelled, what is assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ipusim.report.canvas import QUIET, sentence
from ipusim.report.numbers import format_percent

Document = Mapping[str, Any]

_MOST_REASONS = 3

OF_A_SPACE = (
    "Uncertainty: not given for points of a space; of other chips than an unchanged Bow, nothing was measured. "
    "ipusim run says it of a single point."
)


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


def _errors(found: Document, scope: str) -> str:
    outside = "; ".join(found["outside"][:_MOST_REASONS])
    if found["mean_error"] is None:
        return f"not known, for {outside}"
    text = f"{format_percent(found['mean_error'])} on average and {format_percent(found['worst_error'])} at most"
    text += ", as far as such products were measured"
    return f"{text}, {scope}; of the others: {outside}" if outside else f"{text} (ipusim validate)"


def _of_cycles(found: Document) -> str:
    return f"for {format_percent(found['validated_share'])} of the cycles"


def _of_cells(found: Document) -> str:
    return f"in {found['validated_cells']} of {found['cells']} cells"
