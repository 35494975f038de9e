"""The page of the difference of two results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipusim.report.diff_terminal import figure_text, figure_words, ratio_text, setting_text
from ipusim.report.html.page import render_page

_SECTIONS = [("summary", "Summary"), ("parts", "Changes"), ("settings", "What was asked for")]


def render_diff_page(diff: Mapping[str, Any]) -> str:
    """Return the page of a difference as HTML.

    Parameters
    ----------
    diff : Mapping
        What :func:`~ipusim.report.diff.diff_results` returns.
    """
    figures = [
        (figure_words(name), figure_text(name, before), figure_text(name, after), ratio_text(before, after))
        for name, before, after in diff["figures"]
    ]
    return render_page(
        "diff.html.j2",
        ("diff.js",),
        {"parts": diff["parts"]},
        title=f"{diff['before']}, and {diff['after']}",
        sections=_SECTIONS,
        diff=diff,
        figures=figures,
        settings=[(name, setting_text(before), setting_text(after)) for name, before, after in diff["settings"]],
    )
